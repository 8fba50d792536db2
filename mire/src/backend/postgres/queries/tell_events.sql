-- Tells other processes that events were committed. Never in the transaction of an append: a
-- notifying transaction holds a lock of the whole server through its commit. For the same reason
-- this one does not wait for the disk.
-- $1: text
SELECT set_config('synchronous_commit', 'off', true), pg_notify('mire_events', $1)
