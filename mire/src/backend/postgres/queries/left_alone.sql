-- A version of a table that look-ups have left, since nobody led it for so long, or may do so before
-- this commits: it is complete, does not serve, and is not ahead of the one that does, which goes on
-- meanwhile. To be asked last by whoever has just taken its lease: from here on the server ends the
-- transaction after a second of silence, so that the answer still holds when it commits.
-- $1: the version's subscription, $2: seconds, $3: until when the lease lasted before, or NULL
-- One row always; NULLs: there is none.
SELECT found.subscription, found.fingerprint
  FROM (SELECT set_config('idle_in_transaction_session_timeout', '1000', true) AS value) AS silence
  LEFT JOIN (
       SELECT v.subscription, v.fingerprint
         FROM mire_table_versions v
         JOIN mire_tables t USING (subscription)
         JOIN mire_checkpoints own ON own.subscription_id = $1
         JOIN mire_checkpoints other ON other.subscription_id = t.subscription || '@' || t.serving
        WHERE v.subscription || '@' || v.fingerprint = $1
          AND v.ready_at IS NOT NULL AND t.serving <> v.fingerprint
          AND other.position >= own.position
          AND extract(epoch FROM clock_timestamp() - greatest(v.prepared_at, v.retired_at, $3))
              > $2::float8
       ) AS found ON silence.value IS NOT NULL
