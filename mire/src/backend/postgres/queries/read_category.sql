-- A page of one category's events in position order. Only below the safe head.
-- $1: after this position, $2: up to this one, $3: limit, $4: category
-- The pair is compared and sorted by, although the category is the same, so that no plan but a walk
-- along the index of the pairs is in that order: a planner that takes the category for frequent would
-- walk along all positions and look for it, and one that takes it for rare would sort all of it.
SELECT e.global_position, e.stream_id, e.stream_version, e.event_type, e.schema_version, e.data,
       e.metadata, e.created_at
  FROM mire_events e
 WHERE (e.category, e.global_position) > ($4, $1) AND (e.category, e.global_position) <= ($4, $2)
 ORDER BY e.category, e.global_position LIMIT $3
