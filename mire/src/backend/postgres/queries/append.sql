-- Appends to one or many streams, each with its own outcome; see mire_append in the migrations.
-- $1..$5: a stream each (name, category, expected version, number of events, idempotency key)
-- $6..$10: an event each (ordinal of its stream, stored name, schema version, payload, metadata)
-- $11: wait for locked streams; $12: all or nothing
SELECT outcome, version, positions, created_at
  FROM mire_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
