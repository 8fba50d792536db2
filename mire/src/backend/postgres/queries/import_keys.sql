-- Writes what idempotency keys did, unless it is there.
-- $1..$5: a key each (stream, key, version, position, time)
INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[])
    ON CONFLICT (stream_id, key) DO NOTHING
