-- The columns of a table: name, type, whether NULL is refused, whether it is the key, and whether it
-- comes first in an index.
-- $1: table
SELECT c.name, c.type, c."notnull" <> 0,
       c.pk = 1 AND (SELECT count(*) FROM pragma_table_info($1) WHERE pk > 0) = 1,
       EXISTS (SELECT 1 FROM pragma_index_list($1) i JOIN pragma_index_info(i.name) k
                WHERE k.seqno = 0 AND k.name = c.name AND i.partial = 0)
  FROM pragma_table_info($1) c
 ORDER BY c.cid
