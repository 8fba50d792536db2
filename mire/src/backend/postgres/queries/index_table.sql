-- The table that an index of the schema is on in which tables are created.
-- $1: index, quoted
SELECT c.relname::text
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
 WHERE i.indexrelid = to_regclass(quote_ident(current_schema()) || '.' || $1)
