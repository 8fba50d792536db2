-- Makes the row that is locked below.
-- $1: subscription
INSERT INTO mire_tables (subscription) VALUES ($1) ON CONFLICT DO NOTHING
