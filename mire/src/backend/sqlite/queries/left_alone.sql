-- A version of a table that look-ups have left, since nobody led it for so long: it is complete, does
-- not serve, and is behind the one that does, which can't move meanwhile. To be asked last by whoever
-- has just taken its lease.
-- $1: the version's subscription, $2: seconds, $3: until when the lease lasted before, or NULL
SELECT v.subscription, v.fingerprint
  FROM mire_table_versions v
  JOIN mire_tables t USING (subscription)
  JOIN mire_checkpoints own ON own.subscription_id = $1
  JOIN mire_checkpoints other ON other.subscription_id = t.subscription || '@' || t.serving
 WHERE v.subscription || '@' || v.fingerprint = $1
   AND v.ready_at IS NOT NULL AND t.serving <> v.fingerprint
   AND other.position > own.position
   AND (CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
           - max(v.prepared_at, coalesce(v.retired_at, 0), coalesce($3, 0))) / 1e6 > $2
