-- Makes the row that versions belong to.
-- $1: subscription
INSERT INTO mire_tables (subscription) VALUES ($1) ON CONFLICT DO NOTHING
