-- Moves streams to the version of their last event.
-- $1..$3: an event each (stream, category, version)
INSERT INTO mire_streams (stream_id, category, version)
SELECT s, min(c), max(v) FROM unnest($1::text[], $2::text[], $3::bigint[]) AS e(s, c, v) GROUP BY s
    ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version
