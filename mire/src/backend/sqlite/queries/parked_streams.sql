-- The streams that are held up, and whether another try was asked for.
-- $1: subscription
SELECT stream_id, max(state = 'retry') FROM mire_parked
 WHERE subscription_id = $1 AND state <> 'skipped'
 GROUP BY stream_id
