-- Subscriptions: who leads one, how far it has come, and what it could not handle.
--
-- Invariants of these tables:
--   * A row of mire_leases is never deleted, and its fence_token only grows: by one at every
--     acquisition and at every reset of a checkpoint.
--   * leased_until and heartbeat_at are written from the database's clock alone.
--   * mire_checkpoints is written by two only: by the worker whose fence_token stands in the row,
--     in the transaction of what it handled, and by an acquisition or a reset, which put a newer
--     token there. So a worker that lost its lease changes nothing.
--   * A checkpoint never moves back, except by a reset.
--   * While a stream has a row in mire_parked that is not 'skipped', its later events get one too.
--
-- Times are whole microseconds since 1970, UTC.

CREATE TABLE mire_leases (
    subscription_id TEXT NOT NULL PRIMARY KEY,
    -- The name that the operator gave the worker; not unique.
    worker_id       TEXT NOT NULL,
    -- Unique to one run of one runner.
    instance        TEXT NOT NULL,
    fence_token     INTEGER NOT NULL CHECK (fence_token > 0),
    leased_until    INTEGER NOT NULL,
    heartbeat_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mire_checkpoints (
    subscription_id TEXT NOT NULL PRIMARY KEY,
    -- Every event up to here, itself included, was handled, parked, skipped, or not subscribed to.
    position        INTEGER NOT NULL CHECK (position >= 0),
    -- The lease that may move it; 0 before the first.
    fence_token     INTEGER NOT NULL CHECK (fence_token >= 0),
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mire_parked (
    subscription_id TEXT NOT NULL,
    global_position INTEGER NOT NULL,
    stream_id       TEXT NOT NULL,
    stream_version  INTEGER NOT NULL,
    event_type      TEXT NOT NULL,
    -- parked: waits for an operator. retry: to be delivered again. skipped: a record, no more.
    state           TEXT NOT NULL CHECK (state IN ('parked', 'retry', 'skipped')),
    -- 0: never tried, it stands behind an earlier one of its stream.
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    error           TEXT,
    parked_at       INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, global_position)
) STRICT, WITHOUT ROWID;

-- The streams of a subscription that are held up, and each one's events in order.
CREATE INDEX mire_parked_streams ON mire_parked (subscription_id, stream_id, stream_version)
    WHERE state <> 'skipped';
