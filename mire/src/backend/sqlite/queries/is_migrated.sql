-- Whether the tables are there that a runner needs.
SELECT count(*) = 3 FROM sqlite_schema
 WHERE type = 'table' AND name IN ('mire_events', 'mire_parked', 'mire_table_versions')
