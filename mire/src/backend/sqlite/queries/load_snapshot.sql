-- The stored snapshot of a stream.
-- $1: stream
SELECT version, snapshot_version, state FROM mire_snapshots WHERE stream_id = $1
