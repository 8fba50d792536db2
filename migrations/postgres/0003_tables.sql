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

CREATE TABLE mire_tables (
    subscription text COLLATE "C" PRIMARY KEY,
    -- The fingerprint of the version that serves.
    serving      text COLLATE "C",
    -- The last one that was given to a version.
    generation   bigint NOT NULL DEFAULT 0 CHECK (generation >= 0)
);

CREATE TABLE mire_table_versions (
    subscription  text COLLATE "C" NOT NULL REFERENCES mire_tables,
    -- Eight hexadecimal digits.
    fingerprint   text COLLATE "C" NOT NULL,
    table_name    text        NOT NULL,
    -- The order in which versions were first seen.
    generation    bigint      NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When a runner last started with it, and how far it was then.
    prepared_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    prepared_from bigint      NOT NULL DEFAULT 0,
    ready_at      timestamptz,
    -- When another version took its place.
    retired_at    timestamptz,
    -- When its table was dropped.
    dropped_at    timestamptz,
    -- What kept it from being swapped in, or a table from being dropped, when it was last tried.
    hindrance     text,
    PRIMARY KEY (subscription, fingerprint),
    UNIQUE (subscription, generation)
);

-- Has a view show a table. A view whose columns stay is changed in place, so that views of the
-- user's own that read it stay, too; otherwise it is made anew, with the privileges that were
-- granted on it.
CREATE FUNCTION mire_point_view(view_name text, table_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    privileges text[];
BEGIN
    EXECUTE format('CREATE OR REPLACE VIEW %I AS SELECT * FROM %I', view_name, table_name);
EXCEPTION WHEN invalid_table_definition THEN
    SELECT array_agg(format('GRANT %s ON %I TO %s%s', a.privilege_type, view_name,
                            coalesce(quote_ident(r.rolname), 'PUBLIC'),
                            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END))
      INTO privileges
      FROM pg_class c
      CROSS JOIN LATERAL aclexplode(c.relacl) a
      LEFT JOIN pg_roles r ON r.oid = a.grantee
     WHERE c.oid = to_regclass(quote_ident(view_name)) AND a.grantee <> c.relowner;
    EXECUTE format('DROP VIEW %I', view_name);
    EXECUTE format('CREATE VIEW %I AS SELECT * FROM %I', view_name, table_name);
    FOREACH statement IN ARRAY coalesce(privileges, '{}') LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
