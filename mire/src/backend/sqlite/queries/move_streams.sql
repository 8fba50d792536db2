-- Moves streams to the version of their last event, and keeps what idempotency keys did.
-- $1: [[stream, category, version], …]
-- $2: [[stream, idempotency key, version, position], …]
-- $3: now
INSERT INTO mire_streams (stream_id, category, version)
SELECT t.value ->> 0, t.value ->> 1, t.value ->> 2 FROM json_each($1) t WHERE true
    ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version;
INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
SELECT k.value ->> 0, k.value ->> 1, k.value ->> 2, k.value ->> 3, $3 FROM json_each($2) k
