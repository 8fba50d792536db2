-- A page of a stream, oldest first, and the stream's version as of the same snapshot.
-- $1: stream, $2: first version, $3: limit
-- The page is a range of versions, as in fold_stream.
-- A row without an event says that the stream exists and nothing in it matches.
SELECT s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM mire_streams s
  LEFT JOIN LATERAL (
       SELECT * FROM mire_events e
        WHERE e.stream_id = s.stream_id AND e.stream_version >= $2
          AND e.stream_version < greatest(least($2, s.version), 1) + $3
        ORDER BY e.stream_version
  ) e ON true
 WHERE s.stream_id = $1
 ORDER BY e.stream_version
