-- The heartbeat of all leases of a runner. An expired lease is never extended, only acquired anew;
-- a locked row (someone is just taking it) is stepped over, so that one can't hold up the others.
-- $1: instance, $2: ttl in seconds, $3 and $4: subscription and fence token of each lease
WITH held AS (
    SELECT * FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY
        AS held (subscription_id, fence_token, ord)
), mine AS (
    SELECT lease.subscription_id
      FROM mire_leases lease JOIN held USING (subscription_id, fence_token)
     WHERE lease.instance = $1 AND lease.leased_until > clock_timestamp()
       FOR UPDATE OF lease SKIP LOCKED
), renewed AS (
    UPDATE mire_leases lease
       SET leased_until = clock_timestamp() + make_interval(secs => $2),
           heartbeat_at = clock_timestamp()
      FROM mine
     WHERE lease.subscription_id = mine.subscription_id
 RETURNING lease.subscription_id
)
SELECT renewed.subscription_id IS NOT NULL,
       lease.instance IS DISTINCT FROM $1 OR lease.fence_token <> held.fence_token
  FROM held
  LEFT JOIN mire_leases lease USING (subscription_id)
  LEFT JOIN renewed USING (subscription_id)
 ORDER BY held.ord
