-- Locks the registry of a table until the transaction ends, if nobody else has.
-- $1: subscription
-- No row: somebody has.
SELECT 1 FROM mire_tables WHERE subscription = $1 FOR UPDATE SKIP LOCKED
