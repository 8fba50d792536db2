-- Puts a checkpoint anywhere, back included. The token is newer than that of any leader, so none
-- that is still at work can move it on from there.
-- $1: subscription, $2: position, $3: fence token
INSERT INTO mire_checkpoints (subscription_id, position, fence_token, updated_at)
VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT (subscription_id) DO UPDATE
   SET position = excluded.position, fence_token = excluded.fence_token,
       updated_at = excluded.updated_at
