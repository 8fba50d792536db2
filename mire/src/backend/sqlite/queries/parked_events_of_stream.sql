-- What holds up one stream, in its order.
-- $1: subscription, $2: after this position, $3: limit, $4: stream
SELECT global_position, stream_id, stream_version, event_type, state, attempts, error, parked_at
  FROM mire_parked
 WHERE subscription_id = $1 AND stream_id = $4 AND state <> 'skipped' AND global_position > $2
 ORDER BY stream_version LIMIT $3
