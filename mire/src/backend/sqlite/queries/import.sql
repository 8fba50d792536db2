-- Writes events as they stood in another store. Only under the write lock.
-- $1: [[position, stream, category, version, stored name, schema version, payload, metadata, time], …]
INSERT INTO mire_events (global_position, stream_id, category, stream_version, event_type,
                         schema_version, data, metadata, created_at)
SELECT e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5,
       e.value ->> 6, e.value ->> 7, e.value ->> 8
  FROM json_each($1) e
 ORDER BY e.key
