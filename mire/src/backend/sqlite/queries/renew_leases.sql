-- The heartbeat of all leases of a runner. One that has expired is extended, too: a token that is
-- still in its place proves, under the writer's lock, that nobody has taken it since.
-- $1: instance, $2: ttl in microseconds, $3: [[subscription, fence token], …]
UPDATE mire_leases
   SET leased_until = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000 + $2,
       heartbeat_at = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
 WHERE instance = $1
   AND (subscription_id, fence_token) IN (SELECT h.value ->> 0, h.value ->> 1 FROM json_each($3) h)
RETURNING subscription_id
