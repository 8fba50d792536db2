-- Puts a new leader's token into the checkpoint. An older leader's transaction has ended, since this
-- one has the write lock, so the position answered is final: whatever commits later fails the fence.
-- $1: subscription, $2: fence token
INSERT INTO mire_checkpoints (subscription_id, position, fence_token, updated_at)
VALUES ($1, 0, $2, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000)
    ON CONFLICT (subscription_id) DO UPDATE SET fence_token = excluded.fence_token
RETURNING position
