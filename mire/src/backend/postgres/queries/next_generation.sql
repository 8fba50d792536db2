-- Draws a generation for a version that was never seen before.
-- $1: subscription
UPDATE mire_tables SET generation = generation + 1 WHERE subscription = $1 RETURNING generation
