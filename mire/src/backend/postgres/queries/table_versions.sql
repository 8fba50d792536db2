-- All versions of a table, in the order in which they were first seen; how far each is, and for how
-- long it has shown no sign of life.
-- $1: subscription
SELECT v.fingerprint, v.table_name, v.generation, v.registered_at, v.ready_at, v.retired_at,
       v.dropped_at, v.hindrance, v.fingerprint IS NOT DISTINCT FROM t.serving AS serving,
       c.position, c.position - v.prepared_from AS measured,
       extract(epoch FROM c.updated_at - v.prepared_at)::float8 AS measured_seconds,
       coalesce(l.leased_until > clock_timestamp(), false) AS live,
       extract(epoch FROM clock_timestamp() - greatest(v.prepared_at, v.retired_at, l.leased_until))
           ::float8 AS idle_seconds,
       (SELECT count(*) FROM mire_parked p
         WHERE p.subscription_id = v.subscription || '@' || v.fingerprint AND p.state <> 'skipped')
           AS parked
  FROM mire_tables t
  JOIN mire_table_versions v USING (subscription)
  LEFT JOIN mire_checkpoints c ON c.subscription_id = v.subscription || '@' || v.fingerprint
  LEFT JOIN mire_leases l ON l.subscription_id = v.subscription || '@' || v.fingerprint
 WHERE t.subscription = $1
 ORDER BY v.generation
