-- A page of a stream, newest first, and the stream's version as of the same snapshot.
-- $1: stream, $2: first version, $3: limit
-- A row without an event says that the stream exists and nothing in it matches.
SELECT s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM mire_streams s
  LEFT JOIN (
       SELECT * FROM mire_events
        WHERE stream_id = $1 AND stream_version <= $2
        ORDER BY stream_version DESC LIMIT $3
  ) e ON e.stream_id = s.stream_id
 WHERE s.stream_id = $1
 ORDER BY e.stream_version DESC
