-- Asks for another try of a stream, or takes the request back.
-- $1: subscription, $2: stream, $3: state
UPDATE mire_parked SET state = $3
 WHERE subscription_id = $1 AND stream_id = $2 AND state <> 'skipped'
