-- Writes events as they stood in another store.
-- $1..$9: an event each (position, stream, category, version, stored name, schema version, payload,
-- metadata, time)
INSERT INTO mire_events (global_position, stream_id, category, stream_version, event_type,
                         schema_version, data, metadata, created_at)
SELECT p, s, c, v, t, n, d::json, m::json, w
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::integer[],
              $7::text[], $8::text[], $9::timestamptz[]) AS e(p, s, c, v, t, n, d, m, w)
