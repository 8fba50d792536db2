-- The event log: streams, events, snapshots.
--
-- Invariants
--   I1  The versions of a stream's events are 1, 2, 3 … without holes, and mire_streams.version is
--       the last of them.
--   I2  Within a stream, position order is version order.
--   I3  Once a reader has seen the position P, no event appears at a position <= P any more.
--   I4  Nothing is updated or deleted in mire_events.
-- I2 and I3 hold because SQLite has one writer at a time: an append takes the write lock first
-- (BEGIN IMMEDIATE), then reads the highest position, and writes above it.
--
-- Times are whole microseconds since 1970, UTC, so that they move to and from PostgreSQL unchanged.

CREATE TABLE mire_streams (
    stream_id TEXT NOT NULL PRIMARY KEY,
    category  TEXT NOT NULL,
    version   INTEGER NOT NULL CHECK (version > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE mire_events (
    global_position INTEGER PRIMARY KEY,
    stream_id       TEXT NOT NULL,
    category        TEXT NOT NULL,
    stream_version  INTEGER NOT NULL CHECK (stream_version > 0),
    event_type      TEXT NOT NULL,
    schema_version  INTEGER NOT NULL,
    data            TEXT NOT NULL,
    metadata        TEXT,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX mire_events_by_stream ON mire_events (stream_id, stream_version);
-- The position is the row's id, which every index ends with.
CREATE INDEX mire_events_by_category ON mire_events (category);

-- The result of each append that carried an idempotency key. Rows may be deleted once no caller
-- repeats them.
CREATE TABLE mire_idempotency (
    stream_id  TEXT NOT NULL,
    key        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (stream_id, key)
) STRICT, WITHOUT ROWID;

-- Disposable: every row can be folded again from the log.
CREATE TABLE mire_snapshots (
    stream_id        TEXT NOT NULL PRIMARY KEY,
    version          INTEGER NOT NULL,
    snapshot_version INTEGER NOT NULL,
    state            TEXT NOT NULL,
    created_at       INTEGER NOT NULL
) STRICT;
