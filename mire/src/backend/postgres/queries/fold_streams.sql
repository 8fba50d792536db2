-- fold_stream for several streams at once.
-- $1: streams, $2: the versions already folded, $3: limit for each stream; a range, as there
SELECT t.ord, s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS t(stream_id, after, ord)
 CROSS JOIN LATERAL (
       -- One look-up each: without the LIMIT, a planner that takes the table for small would scan it.
       SELECT * FROM mire_streams s WHERE s.stream_id = t.stream_id LIMIT 1
  ) s
  LEFT JOIN LATERAL (
       SELECT e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
         FROM mire_events e
        WHERE e.stream_id = s.stream_id AND s.version > t.after
          AND e.stream_version > t.after AND e.stream_version <= t.after + $3
        ORDER BY e.stream_version
  ) e ON true
 ORDER BY t.ord, e.stream_version
