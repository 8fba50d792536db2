-- Ends a lease now, by its holder. The row stays: its token must go on growing.
-- $1: subscription, $2: instance, $3: fence token
UPDATE mire_leases SET leased_until = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
 WHERE subscription_id = $1 AND instance = $2 AND fence_token = $3
