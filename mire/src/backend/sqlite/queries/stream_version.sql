-- A stream's version.
-- $1: stream
SELECT version FROM mire_streams WHERE stream_id = $1
