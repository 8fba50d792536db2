-- What keeps a version from being swapped in.
-- $1: subscription, $2: fingerprint, $3: text, or NULL
UPDATE mire_table_versions SET hindrance = $3 WHERE subscription = $1 AND fingerprint = $2
