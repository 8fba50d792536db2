-- The sessions that hold a lock on a relation, beside one's own. Nobody but their own role and
-- those who may read all of it sees more than their process ids.
-- $1: name, quoted
SELECT DISTINCT l.pid, nullif(a.application_name, '') AS application, a.state,
       to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS begun
  FROM pg_locks l
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation = to_regclass($1)
   AND l.pid IS DISTINCT FROM pg_backend_pid()
 ORDER BY begun NULLS LAST, l.pid LIMIT 3
