-- fold_stream for several streams at once.
-- $1: streams, $2: the versions already folded, $3: limit for each stream
SELECT t.ord, s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS t(stream_id, after, ord)
  JOIN mire_streams s ON s.stream_id = t.stream_id
  LEFT JOIN LATERAL (
       SELECT e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
         FROM mire_events e
        WHERE e.stream_id = s.stream_id AND e.stream_version > t.after AND s.version > t.after
        ORDER BY e.stream_version LIMIT $3
  ) e ON true
 ORDER BY t.ord, e.stream_version
