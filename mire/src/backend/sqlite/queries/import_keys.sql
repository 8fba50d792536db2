-- Writes what idempotency keys did, unless it is there.
-- $1: [[stream, key, version, position, time], …]
INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
SELECT k.value ->> 0, k.value ->> 1, k.value ->> 2, k.value ->> 3, k.value ->> 4
  FROM json_each($1) k WHERE true
    ON CONFLICT (stream_id, key) DO NOTHING
