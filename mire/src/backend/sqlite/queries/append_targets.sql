-- What an append has to know before it writes: each stream's version, what its idempotency key did
-- before, and the last position of the log. Only under the write lock.
-- $1: [[stream, idempotency key or null], …]
SELECT coalesce(s.version, 0), k.version, k.position,
       (SELECT coalesce(max(global_position), 0) FROM mire_events),
       CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
  FROM json_each($1) t
  LEFT JOIN mire_streams s ON s.stream_id = t.value ->> 0
  LEFT JOIN mire_idempotency k ON k.stream_id = t.value ->> 0 AND k.key = t.value ->> 1
 ORDER BY t.key
