-- The other subscription that keeps a table of a declared name.
-- $1: declared name of the table, $2: the subscription that asks
SELECT subscription FROM mire_table_versions
 WHERE table_name = $1 AND subscription <> $2 AND dropped_at IS NULL
 LIMIT 1
