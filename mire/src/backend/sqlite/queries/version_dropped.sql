-- A version's table was dropped.
-- $1: subscription, $2: fingerprint
UPDATE mire_table_versions SET dropped_at = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000, ready_at = NULL
 WHERE subscription = $1 AND fingerprint = $2
