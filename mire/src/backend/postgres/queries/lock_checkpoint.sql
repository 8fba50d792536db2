-- Keeps a checkpoint where it is until the transaction ends, and with it what is parked.
-- $1: subscription
SELECT position FROM mire_checkpoints WHERE subscription_id = $1 FOR UPDATE
