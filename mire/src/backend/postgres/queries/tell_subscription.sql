-- Tells other processes, when the transaction commits, that something of a subscription changed.
-- $1: subscription
SELECT pg_notify('mire_subscriptions', $1)
