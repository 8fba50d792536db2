-- A lease, and how much longer it is good for, in microseconds.
-- $1: subscription
SELECT worker_id, fence_token, leased_until, heartbeat_at,
       max(leased_until - CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000, 0)
  FROM mire_leases WHERE subscription_id = $1
