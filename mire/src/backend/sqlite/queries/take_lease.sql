-- Takes a lease that is free or has expired. The fence token grows at every acquisition, also when
-- the same worker takes its own expired lease again; time is the database's alone.
-- $1: subscription, $2: worker, $3: instance, $4: ttl in microseconds
-- No row: someone else has it.
INSERT INTO mire_leases AS old
       (subscription_id, worker_id, instance, fence_token, leased_until, heartbeat_at)
SELECT $1, $2, $3, 1, clock.now + $4, clock.now
  FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000 AS now) clock WHERE true
    ON CONFLICT (subscription_id) DO UPDATE
   SET worker_id = excluded.worker_id, instance = excluded.instance,
       fence_token = old.fence_token + 1, leased_until = excluded.leased_until,
       heartbeat_at = excluded.heartbeat_at
 WHERE old.leased_until <= excluded.heartbeat_at
RETURNING fence_token
