-- A page of the whole log in position order. Only below the safe head, or events that commit later
-- would be stepped over.
-- $1: after this position, $2: up to this one, $3: limit
-- The upper end is looked at outside, where it cuts off the page's end: a planner without statistics
-- takes a range with two ends for a small one, and would sort it.
SELECT global_position, stream_id, stream_version, event_type, schema_version, data, metadata,
       created_at
  FROM (SELECT * FROM mire_events e
         WHERE e.global_position > $1
         ORDER BY e.global_position LIMIT $3) page
 WHERE global_position <= $2
 ORDER BY global_position
