-- The table that a version's subscription keeps.
-- $1: the version's subscription
SELECT subscription, fingerprint, table_name || '__' || fingerprint
  FROM mire_table_versions
 WHERE subscription || '@' || fingerprint = $1 AND dropped_at IS NULL
