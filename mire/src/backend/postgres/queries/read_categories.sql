-- A page of several categories' events in position order. Only below the safe head. Each category
-- is read along its index up to the limit, as in read_category, so what is sorted never grows.
-- $1: after this position, $2: up to this one, $3: limit, $4: categories
SELECT e.global_position, e.stream_id, e.stream_version, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM unnest($4::text[]) AS c(category)
 CROSS JOIN LATERAL (
       SELECT * FROM mire_events e
        WHERE (e.category, e.global_position) > (c.category, $1)
          AND (e.category, e.global_position) <= (c.category, $2)
        ORDER BY e.category, e.global_position LIMIT $3
  ) e
 ORDER BY e.global_position LIMIT $3
