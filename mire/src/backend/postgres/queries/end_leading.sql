-- Ends the transactions of a subscription's former leaders, whose processes may have been stopped or
-- cut off. To be asked by whoever has just taken the lease, in the same transaction: what is found
-- can't commit any more. A user may always end connections of its own role.
-- $1: subscription
SELECT count(*) FILTER (WHERE pg_terminate_backend(l.pid))
  FROM pg_locks l
  JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND l.classid = 'mire_leases'::regclass::oid
   AND l.objid = (hashtext($1)::bigint & 4294967295)::oid
   AND l.pid <> pg_backend_pid()
   AND a.usename = current_user
