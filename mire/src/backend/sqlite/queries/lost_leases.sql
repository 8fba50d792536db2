-- Which leases a runner takes for its own and are not.
-- $1: instance, $2: [[subscription, fence token], …]
SELECT h.value ->> 0
  FROM json_each($2) h
  LEFT JOIN mire_leases lease ON lease.subscription_id = h.value ->> 0
 WHERE lease.instance IS NOT $1 OR lease.fence_token <> (h.value ->> 1)
