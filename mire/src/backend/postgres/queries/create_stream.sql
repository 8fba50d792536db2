-- Makes sure that a stream has a row to lock. Version 0 must not outlive the transaction: it
-- appends, or rolls back.
-- $1: stream, $2: category
INSERT INTO mire_streams (stream_id, category, version) VALUES ($1, $2, 0)
ON CONFLICT (stream_id) DO NOTHING
