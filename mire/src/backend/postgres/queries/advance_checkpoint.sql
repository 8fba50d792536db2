-- Moves a checkpoint within the transaction of what was handled. The token fences: a worker that
-- lost its lease finds no row, and has to roll back. The position says the same of a worker that
-- takes a commit for failed which went through.
-- $1: subscription, $2: fence token, $3: from, $4: to
UPDATE mire_checkpoints SET position = $4, updated_at = clock_timestamp()
 WHERE subscription_id = $1 AND fence_token = $2 AND position = $3 AND $4 >= $3
