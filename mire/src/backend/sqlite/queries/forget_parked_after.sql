-- Forgets what was put aside after a position, to which the checkpoint goes back.
-- $1: subscription, $2: position
DELETE FROM mire_parked WHERE subscription_id = $1 AND global_position > $2
