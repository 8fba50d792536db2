-- A page of several categories' events in position order. Each category is read along its index up
-- to the limit, so what is sorted never grows with the log.
-- $1: after this position, $2: up to this one, $3: limit, $4: [category, …]
SELECT e.global_position, e.stream_id, e.stream_version, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM json_each($4) c
  JOIN mire_events e ON e.global_position IN (
       SELECT p.global_position FROM mire_events p
        WHERE p.category = c.value AND p.global_position > $1 AND p.global_position <= $2
        ORDER BY p.global_position LIMIT $3
  )
 ORDER BY e.global_position LIMIT $3
