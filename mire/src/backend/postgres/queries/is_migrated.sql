-- Whether the tables are there that a runner needs.
SELECT to_regclass('mire_events') IS NOT NULL AND to_regclass('mire_parked') IS NOT NULL
   AND to_regclass('mire_table_versions') IS NOT NULL
