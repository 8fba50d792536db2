-- Locks a stream's row until the transaction ends.
-- $1: stream
SELECT version FROM mire_streams WHERE stream_id = $1 FOR UPDATE
