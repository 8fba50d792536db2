-- A page of one category's events in position order. Only below the safe head.
-- $1: after this position, $2: up to this one, $3: limit, $4: category
SELECT e.global_position, e.stream_id, e.stream_version, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM mire_events e
 WHERE e.category = $4 AND e.global_position > $1 AND e.global_position <= $2
 ORDER BY e.global_position LIMIT $3
