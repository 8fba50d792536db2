-- A lease, and how much longer it is good for.
-- $1: subscription
SELECT worker_id, fence_token, leased_until, heartbeat_at,
       greatest(extract(epoch FROM leased_until - clock_timestamp())::float8, 0) AS remaining
  FROM mire_leases WHERE subscription_id = $1
