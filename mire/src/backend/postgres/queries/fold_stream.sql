-- What folding needs of a stream's newer events, oldest first, and the stream's version as of the
-- same snapshot, in a row of its own without an event.
-- $1: stream, $2: the version already folded, $3: limit
-- The page is a range of versions, which have no holes, rather than a LIMIT: so a plan that sorts,
-- which a planner with poor statistics may choose, never sorts more than a page.
SELECT s.version, NULL AS stream_version, NULL AS global_position, NULL AS event_type,
       NULL AS schema_version, NULL AS data
  FROM mire_streams s
 WHERE s.stream_id = $1
 UNION ALL
(SELECT NULL, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
   FROM mire_events e
  WHERE e.stream_id = $1 AND e.stream_version > $2 AND e.stream_version <= $2 + $3
  ORDER BY e.stream_version)
