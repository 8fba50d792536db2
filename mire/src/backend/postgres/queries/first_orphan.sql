-- The first of some events whose predecessor in its stream isn't there, and the last version of the
-- stream before it.
-- $1: streams, $2: versions
SELECT t.ord, coalesce((SELECT max(e.stream_version) FROM mire_events e
                         WHERE e.stream_id = t.stream_id AND e.stream_version < t.version), 0)
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS t(stream_id, version, ord)
 WHERE NOT EXISTS (SELECT FROM mire_events e
                    WHERE e.stream_id = t.stream_id AND e.stream_version = t.version - 1)
 ORDER BY t.ord LIMIT 1
