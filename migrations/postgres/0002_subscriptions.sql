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
-- A lease and its checkpoint are rows of different tables, so that a heartbeat never waits for the
-- transaction of a handler.

CREATE TABLE mire_leases (
    subscription_id text COLLATE "C" PRIMARY KEY,
    -- The name that the operator gave the worker; not unique.
    worker_id       text        NOT NULL,
    -- Unique to one run of one runner.
    instance        uuid        NOT NULL,
    fence_token     bigint      NOT NULL CHECK (fence_token > 0),
    leased_until    timestamptz NOT NULL,
    heartbeat_at    timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE mire_checkpoints (
    subscription_id text COLLATE "C" PRIMARY KEY,
    -- Every event up to here, itself included, was handled, parked, skipped, or not subscribed to.
    position        bigint      NOT NULL CHECK (position >= 0),
    -- The lease that may move it; 0 before the first.
    fence_token     bigint      NOT NULL CHECK (fence_token >= 0),
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE mire_parked (
    subscription_id text COLLATE "C" NOT NULL,
    global_position bigint      NOT NULL,
    stream_id       text COLLATE "C" NOT NULL,
    stream_version  bigint      NOT NULL,
    event_type      text        NOT NULL,
    -- parked: waits for an operator. retry: to be delivered again. skipped: a record, no more.
    state           text        NOT NULL CHECK (state IN ('parked', 'retry', 'skipped')),
    -- 0: never tried, it stands behind an earlier one of its stream.
    attempts        integer     NOT NULL CHECK (attempts >= 0),
    error           text,
    parked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription_id, global_position)
);

-- The streams of a subscription that are held up, and each one's events in order.
CREATE INDEX mire_parked_streams ON mire_parked (subscription_id, stream_id, stream_version)
    WHERE state <> 'skipped';
