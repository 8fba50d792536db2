-- A version has caught up with the log, or has to do so again.
-- $1: subscription, $2: fingerprint, $3: whether it has
UPDATE mire_table_versions SET ready_at = CASE WHEN $3 THEN coalesce(ready_at, clock_timestamp()) END
 WHERE subscription = $1 AND fingerprint = $2
