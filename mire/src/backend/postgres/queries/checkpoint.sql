-- How far a subscription has come.
-- $1: subscription
SELECT position FROM mire_checkpoints WHERE subscription_id = $1
