-- No version serves: the tables of all are dropped.
-- $1: subscription
UPDATE mire_tables SET serving = NULL WHERE subscription = $1
