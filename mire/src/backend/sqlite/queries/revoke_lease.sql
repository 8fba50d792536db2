-- Ends the lease of whoever has it, and draws a token above its own, so that it can move the
-- checkpoint no more.
-- $1: subscription
UPDATE mire_leases SET fence_token = fence_token + 1, leased_until = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
 WHERE subscription_id = $1
RETURNING fence_token
