-- fold_stream for several streams at once. Versions have no holes, so a range of versions is a
-- page.
-- $1: [[stream, the version already folded], …], $2: limit for each stream
SELECT t.key, s.version, e.stream_version, e.global_position, e.event_type, e.schema_version, e.data
  FROM json_each($1) t
  JOIN mire_streams s ON s.stream_id = t.value ->> 0
  LEFT JOIN mire_events e ON e.stream_id = s.stream_id
        AND e.stream_version > (t.value ->> 1) AND e.stream_version <= (t.value ->> 1) + $2
 ORDER BY t.key, e.stream_version
