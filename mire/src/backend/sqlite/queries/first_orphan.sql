-- The first of some events whose predecessor in its stream isn't there, and the last version of the
-- stream before it.
-- $1: [[stream, version], …]
SELECT t.key + 1, coalesce((SELECT max(e.stream_version) FROM mire_events e
                             WHERE e.stream_id = t.value ->> 0 AND e.stream_version < t.value ->> 1), 0)
  FROM json_each($1) t
 WHERE NOT EXISTS (SELECT 1 FROM mire_events e
                    WHERE e.stream_id = t.value ->> 0 AND e.stream_version = (t.value ->> 1) - 1)
 ORDER BY t.key LIMIT 1
