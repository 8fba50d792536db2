-- Opens the transaction of a leader, and notes whose it is by a shared advisory lock, which is never
-- waited for; `end_leading` looks for it. It goes with the transaction.
-- $1, put in as text: the subscription in hex
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SELECT pg_advisory_xact_lock_shared(
           (('mire_leases'::regclass::oid::bigint << 32) >> 32)::integer,
           hashtext(convert_from(decode('$1', 'hex'), 'UTF8')))
