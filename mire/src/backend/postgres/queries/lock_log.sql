-- Keeps every append out until the transaction ends.
LOCK TABLE mire_streams IN SHARE ROW EXCLUSIVE MODE
