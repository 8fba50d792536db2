-- The version that serves is retired, and the one that comes in its place is not, any more.
-- $1: subscription, $2: fingerprint of the new one
UPDATE mire_table_versions v
   SET retired_at = CASE WHEN v.fingerprint = $2 THEN NULL ELSE clock_timestamp() END
  FROM mire_tables t
 WHERE t.subscription = $1 AND v.subscription = $1 AND v.fingerprint IN (t.serving, $2)
