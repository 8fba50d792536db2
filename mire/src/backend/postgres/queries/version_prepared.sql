-- A runner starts with a version, or it begins anew: a sign of life, and the beginning of what its rate
-- is measured by.
-- $1: subscription, $2: fingerprint
UPDATE mire_table_versions
   SET prepared_at = clock_timestamp(), dropped_at = NULL,
       prepared_from = coalesce((SELECT position FROM mire_checkpoints
                                  WHERE subscription_id = $1 || '@' || $2), 0)
 WHERE subscription = $1 AND fingerprint = $2
