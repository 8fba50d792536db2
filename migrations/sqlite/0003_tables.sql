-- Tables of projections: which versions of a declaration there are, and which one serves.
--
-- A version is a subscription of its own, `<subscription>@<fingerprint>`, with its own lease,
-- checkpoint and table, `<table_name>__<fingerprint>`. The view `<table_name>` shows the table of
-- the version that serves.
--
-- Invariants of these tables:
--   * Whoever changes anything here, creates or drops a version's table, or points the view to
--     another one, has locked the subscription's row in mire_tables before.
--   * A leader does so only in a transaction that its fenced checkpoint ends.
--   * Rows are never deleted: a version that comes back keeps its generation.
--   * ready_at stands only while the version's table has once caught up since it was created, or
--     since it was last taken up again.
--
-- Times are whole microseconds since 1970, UTC.

CREATE TABLE mire_tables (
    subscription TEXT NOT NULL PRIMARY KEY,
    -- The fingerprint of the version that serves.
    serving      TEXT,
    -- The last one that was given to a version.
    generation   INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE mire_table_versions (
    subscription  TEXT NOT NULL REFERENCES mire_tables,
    -- Eight hexadecimal digits.
    fingerprint   TEXT NOT NULL,
    table_name    TEXT NOT NULL,
    -- The order in which versions were first seen.
    generation    INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    -- When a runner last started with it, and how far it was then.
    prepared_at   INTEGER NOT NULL,
    prepared_from INTEGER NOT NULL DEFAULT 0,
    ready_at      INTEGER,
    -- When another version took its place.
    retired_at    INTEGER,
    -- When its table was dropped.
    dropped_at    INTEGER,
    -- What kept it from being swapped in, or a table from being dropped, when it was last tried.
    hindrance     TEXT,
    PRIMARY KEY (subscription, fingerprint),
    UNIQUE (subscription, generation)
) STRICT, WITHOUT ROWID;
