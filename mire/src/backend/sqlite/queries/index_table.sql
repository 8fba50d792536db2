-- The table that an index is on.
-- $1: index
SELECT tbl_name FROM sqlite_schema WHERE type = 'index' AND name = $1 COLLATE NOCASE
