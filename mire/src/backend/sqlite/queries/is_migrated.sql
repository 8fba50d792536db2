-- Whether the tables are there that a runner needs.
SELECT count(*) = 2 FROM sqlite_schema
 WHERE type = 'table' AND name IN ('mire_events', 'mire_parked')
