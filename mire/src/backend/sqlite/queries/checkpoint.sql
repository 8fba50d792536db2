-- How far a subscription has come; for the name of a table's subscription, the version that serves.
-- $1: subscription
SELECT position FROM mire_checkpoints
 WHERE subscription_id = coalesce(
       (SELECT subscription || '@' || serving FROM mire_tables WHERE subscription = $1), $1)
