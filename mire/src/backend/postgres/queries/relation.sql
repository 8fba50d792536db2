-- What a name stands for.
-- $1: name, quoted
SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)
