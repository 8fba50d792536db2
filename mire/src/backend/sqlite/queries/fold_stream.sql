-- What folding needs of a stream's newer events, oldest first, and the stream's version as of the
-- same snapshot.
-- $1: stream, $2: the version already folded, $3: limit
-- A row without an event says that the stream exists and has nothing newer.
SELECT s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
  FROM mire_streams s
  LEFT JOIN (
       SELECT stream_id, stream_version, global_position, event_type, schema_version, data
         FROM mire_events
        WHERE stream_id = $1 AND stream_version > $2
        ORDER BY stream_version LIMIT $3
  ) e ON e.stream_id = s.stream_id
 WHERE s.stream_id = $1
 ORDER BY e.stream_version
