-- Locks the registry of a table until the transaction ends.
-- $1: subscription
SELECT 1 FROM mire_tables WHERE subscription = $1 FOR UPDATE
