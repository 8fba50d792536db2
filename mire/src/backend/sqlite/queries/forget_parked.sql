-- Forgets one event that was put aside.
-- $1: subscription, $2: position
DELETE FROM mire_parked WHERE subscription_id = $1 AND global_position = $2
