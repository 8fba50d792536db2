-- Writes nothing, but takes the file's write lock, if the transaction does not have it yet.
UPDATE mire_streams SET version = version WHERE false
