-- How far all subscriptions have come.
SELECT subscription_id, position FROM mire_checkpoints ORDER BY subscription_id
