-- The version that serves is retired, and the one that comes in its place is not, any more.
-- $1: subscription, $2: fingerprint of the new one
UPDATE mire_table_versions
   SET retired_at = CASE WHEN fingerprint = $2 THEN NULL ELSE CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000 END
 WHERE subscription = $1
   AND fingerprint IN ((SELECT serving FROM mire_tables WHERE subscription = $1), $2)
