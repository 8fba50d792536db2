-- What idempotency keys did, in order.
-- $1 and $2: after this stream and key, $3: up to this position, $4: limit
SELECT stream_id, key, version, position, created_at
  FROM mire_idempotency
 WHERE (stream_id, key) > ($1, $2) AND position <= $3
 ORDER BY stream_id, key LIMIT $4
