-- A page of several categories' events in position order. Only below the safe head. Each category
-- is read along its index up to the limit, so what is sorted never grows with the log.
-- $1: after this position, $2: up to this one, $3: limit, $4: categories
SELECT e.global_position, e.stream_id, e.stream_version, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM unnest($4::text[]) AS c(category)
 CROSS JOIN LATERAL (
       SELECT * FROM mire_events e
        WHERE e.category = c.category AND e.global_position > $1 AND e.global_position <= $2
        ORDER BY e.global_position LIMIT $3
  ) e
 ORDER BY e.global_position LIMIT $3
