-- Puts a new leader's token into the checkpoint. Waits for an older leader's transaction that is
-- just moving it, so the position answered is final: whatever commits later fails the fence.
-- $1: subscription, $2: fence token
INSERT INTO mire_checkpoints (subscription_id, position, fence_token, updated_at)
VALUES ($1, 0, $2, clock_timestamp())
    ON CONFLICT (subscription_id) DO UPDATE SET fence_token = excluded.fence_token
RETURNING position
