-- What was put aside, in the order of the log.
-- $1: subscription, $2: after this position, $3: limit
SELECT global_position, stream_id, stream_version, event_type, state, attempts, error, parked_at
  FROM mire_parked
 WHERE subscription_id = $1 AND global_position > $2
 ORDER BY global_position LIMIT $3
