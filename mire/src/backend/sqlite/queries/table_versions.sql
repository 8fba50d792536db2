-- All versions of a table, in the order in which they were first seen; how far each is, and for how
-- long it has shown no sign of life.
-- $1: subscription
SELECT v.fingerprint, v.table_name, v.generation, v.registered_at, v.ready_at, v.retired_at,
       v.dropped_at, v.hindrance, v.fingerprint IS t.serving AS serving,
       c.position, c.position - v.prepared_from AS measured,
       (c.updated_at - v.prepared_at) / 1e6 AS measured_seconds,
       coalesce(l.leased_until > CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000, 0) AS live,
       (CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
           - max(v.prepared_at, coalesce(v.retired_at, 0), coalesce(l.leased_until, 0)))
           / 1e6 AS idle_seconds,
       (SELECT count(*) FROM mire_parked p
         WHERE p.subscription_id = v.subscription || '@' || v.fingerprint AND p.state <> 'skipped')
           AS parked
  FROM mire_tables t
  JOIN mire_table_versions v USING (subscription)
  LEFT JOIN mire_checkpoints c ON c.subscription_id = v.subscription || '@' || v.fingerprint
  LEFT JOIN mire_leases l ON l.subscription_id = v.subscription || '@' || v.fingerprint
 WHERE t.subscription = $1
 ORDER BY v.generation
