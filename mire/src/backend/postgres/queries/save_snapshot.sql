-- Stores a snapshot. A slower writer never replaces a newer one of the same snapshot version; but one
-- that is ahead of its stream is of no use, and goes.
-- $1: stream, $2: version, $3: snapshot version, $4: state
INSERT INTO mire_snapshots AS old (stream_id, version, snapshot_version, state, created_at)
VALUES ($1, $2, $3, $4::text::json, clock_timestamp())
ON CONFLICT (stream_id) DO UPDATE
   SET version = excluded.version, snapshot_version = excluded.snapshot_version,
       state = excluded.state, created_at = excluded.created_at
 WHERE old.snapshot_version <> excluded.snapshot_version OR old.version < excluded.version
    OR old.version > (SELECT version FROM mire_streams WHERE stream_id = $1)
