-- Moves streams to the version of their last event.
-- $1: [[stream, category, version], …], an event each
INSERT INTO mire_streams (stream_id, category, version)
SELECT e.value ->> 0, min(e.value ->> 1), max(e.value ->> 2) FROM json_each($1) e GROUP BY 1
    ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version
