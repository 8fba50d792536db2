-- What a name stands for.
-- $1: name
SELECT type FROM sqlite_schema WHERE name = $1 COLLATE NOCASE
