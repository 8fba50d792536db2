-- Appends to one or many streams, each with its own outcome; see mire_append in the migrations.
-- $1..$5: a stream each (name, category, expected version, number of events, idempotency key; null
-- in place of all keys when there is none)
-- $6..$11: an event each (ordinal of its stream, its number among that stream's, stored name,
-- schema version, payload, metadata)
-- $12: wait for locked streams; $13: all or nothing; $14: how long for a lock, in
-- milliseconds
SELECT outcomes, versions, repeated, positions, created_at
  FROM mire_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
