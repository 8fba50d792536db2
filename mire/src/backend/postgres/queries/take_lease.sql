-- Takes a lease that is free or has expired. The fence token grows at every acquisition, also when
-- the same worker takes its own expired lease again; time is the database's alone.
-- $1: subscription, $2: worker, $3: instance, $4: ttl in seconds
-- No row: someone else has it, or was faster.
WITH taken AS (
    UPDATE mire_leases
       SET worker_id = $2, instance = $3, fence_token = fence_token + 1,
           leased_until = clock_timestamp() + make_interval(secs => $4),
           heartbeat_at = clock_timestamp()
     WHERE subscription_id = $1 AND leased_until <= clock_timestamp()
 RETURNING fence_token
), created AS (
    INSERT INTO mire_leases
           (subscription_id, worker_id, instance, fence_token, leased_until, heartbeat_at)
    SELECT $1, $2, $3, 1, clock_timestamp() + make_interval(secs => $4), clock_timestamp()
     WHERE NOT EXISTS (SELECT FROM mire_leases WHERE subscription_id = $1)
        ON CONFLICT (subscription_id) DO NOTHING
 RETURNING fence_token
)
SELECT fence_token FROM taken UNION ALL SELECT fence_token FROM created
