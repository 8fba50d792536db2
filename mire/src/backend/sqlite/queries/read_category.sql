-- A page of one category's events in position order.
-- $1: after this position, $2: up to this one, $3: limit, $4: category
SELECT global_position, stream_id, stream_version, event_type, schema_version, data, metadata,
       created_at
  FROM mire_events
 WHERE category = $4 AND global_position > $1 AND global_position <= $2
 ORDER BY global_position LIMIT $3
