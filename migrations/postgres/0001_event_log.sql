-- The event log: streams, events, snapshots.
--
-- Invariants
--   I1  The versions of a stream's events are 1, 2, 3 … without holes, and mire_streams.version is
--       the last of them.
--   I2  Within a stream, position order is version order: positions are drawn while the stream's
--       row is locked.
--   I3  Once a reader has seen a safe head >= P, no event appears at a position <= P any more.
--       mire_append marks before it allocates, and mire_safe_head reads the marks.
--   I4  Nothing is updated or deleted in mire_events.
-- I3 needs READ COMMITTED, which mire_append checks, and a position sequence with CACHE 1, which
-- migrating checks.

CREATE TABLE mire_streams (
    stream_id text COLLATE "C" PRIMARY KEY,
    category  text COLLATE "C" NOT NULL,
    version   bigint NOT NULL CHECK (version >= 0)
) WITH (fillfactor = 80);

COMMENT ON TABLE mire_streams IS
    'One row a stream. Its lock is the stream''s lock; its version is that of the last event.';

-- A session that cached values ahead could commit positions from below another one's mark.
CREATE SEQUENCE mire_position AS bigint CACHE 1;

CREATE TABLE mire_events (
    global_position bigint PRIMARY KEY,
    stream_id       text COLLATE "C" NOT NULL,
    category        text COLLATE "C" NOT NULL,
    stream_version  bigint NOT NULL CHECK (stream_version > 0),
    event_type      text COLLATE "C" NOT NULL,
    schema_version  integer NOT NULL,
    data            json NOT NULL,
    metadata        json,
    created_at      timestamptz NOT NULL
);

COMMENT ON TABLE mire_events IS 'The log. Append only.';

CREATE UNIQUE INDEX mire_events_by_stream ON mire_events (stream_id, stream_version);
CREATE INDEX mire_events_by_category ON mire_events (category, global_position);

CREATE TABLE mire_idempotency (
    stream_id  text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    position   bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (stream_id, key)
);

COMMENT ON TABLE mire_idempotency IS
    'The result of each append that carried an idempotency key. Rows may be deleted once no caller repeats them.';

CREATE TABLE mire_snapshots (
    stream_id        text COLLATE "C" PRIMARY KEY,
    version          bigint NOT NULL,
    snapshot_version integer NOT NULL,
    state            json NOT NULL,
    created_at       timestamptz NOT NULL
);

COMMENT ON TABLE mire_snapshots IS 'Disposable: every row can be folded again from the log.';

-- Appends to one or many streams, each with its own outcome, in one statement.
--
-- In:  an element a stream (the streams are distinct): name, category, expected version (-1 any,
--      0 none), number of events, idempotency key or null. Then an element an event, stream by
--      stream, with the ordinal of its stream. p_wait: wait for locked streams, else answer 'busy'.
--      p_atomic: all or nothing.
-- Out: a row a stream, in the order given. version is the stream's version afterwards; the actual
--      one for a 'conflict'; the one first answered for a 'repeated' append.
--
-- The order of the steps is what makes I2 and I3 hold. Nothing after the mark can wait for another
-- transaction: every row it touches is new, or locked before.
CREATE FUNCTION mire_append(
    p_streams text[], p_categories text[], p_expected bigint[], p_counts integer[], p_keys text[],
    p_owners integer[], p_types text[], p_schemas integer[], p_data text[], p_metadata text[],
    p_wait boolean, p_atomic boolean
) RETURNS TABLE (outcome text, version bigint, positions bigint[], created_at timestamptz)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_streams  integer := cardinality(p_streams);
    v_now      timestamptz := clock_timestamp();
    v_keyed    boolean := EXISTS (SELECT FROM unnest(p_keys) k WHERE k IS NOT NULL);
    -- An element a stream, in the order given.
    v_actual   bigint[];
    v_outcome  text[] := array_fill(NULL::text, ARRAY[v_streams]);
    v_repeated bigint[] := array_fill(NULL::bigint, ARRAY[v_streams]);
    v_write    boolean := false;
    v_failed   boolean := false;
    v_found    record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'mire appends need the isolation level READ COMMITTED, and this transaction has %',
            upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'invalid_transaction_state',
                  HINT = 'Begin with ISOLATION LEVEL READ COMMITTED, and leave default_transaction_isolation at "read committed".';
    END IF;

    -- 1. Rows for streams that may be new: in name order, like the locks, so that two calls never
    --    wait for each other.
    IF 0 >= ANY (p_expected) THEN
        INSERT INTO mire_streams (stream_id, category, version)
        SELECT t.s, t.c, 0
          FROM unnest(p_streams, p_categories, p_expected) AS t(s, c, e)
         WHERE t.e <= 0
         ORDER BY t.s
        ON CONFLICT ON CONSTRAINT mire_streams_pkey DO NOTHING;
    END IF;

    -- 2. The streams' locks, and with them their versions; -1 for one that is busy.
    IF v_streams = 1 AND p_wait THEN
        SELECT ARRAY[s.version] INTO v_actual
          FROM mire_streams s WHERE s.stream_id = p_streams[1] FOR UPDATE;
        v_actual := coalesce(v_actual, ARRAY[0::bigint]);
    ELSIF p_wait THEN
        WITH locked AS MATERIALIZED (
            SELECT s.stream_id, s.version FROM mire_streams s
             WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE
        )
        SELECT array_agg(coalesce(l.version, 0) ORDER BY t.ord) INTO v_actual
          FROM unnest(p_streams) WITH ORDINALITY AS t(s, ord)
          LEFT JOIN locked l ON l.stream_id = t.s;
    ELSE
        WITH locked AS MATERIALIZED (
            SELECT s.stream_id, s.version FROM mire_streams s
             WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE SKIP LOCKED
        )
        SELECT array_agg(CASE WHEN l.stream_id IS NOT NULL THEN l.version
                              WHEN EXISTS (SELECT FROM mire_streams s WHERE s.stream_id = t.s) THEN -1
                              ELSE 0 END ORDER BY t.ord) INTO v_actual
          FROM unnest(p_streams) WITH ORDINALITY AS t(s, ord)
          LEFT JOIN locked l ON l.stream_id = t.s;
    END IF;

    -- 3. The verdict on each.
    FOR i IN 1 .. v_streams LOOP
        IF v_actual[i] < 0 THEN
            v_outcome[i] := 'busy';
            v_failed := true;
            CONTINUE;
        END IF;
        IF v_keyed AND p_keys[i] IS NOT NULL THEN
            SELECT k.version, k.position INTO v_found
              FROM mire_idempotency k WHERE k.stream_id = p_streams[i] AND k.key = p_keys[i];
            IF FOUND THEN
                v_outcome[i] := 'repeated';
                v_actual[i] := v_found.version;
                v_repeated[i] := v_found.position;
                CONTINUE;
            END IF;
        END IF;
        IF p_expected[i] >= 0 AND p_expected[i] <> v_actual[i] THEN
            v_outcome[i] := 'conflict';
            v_failed := true;
        ELSE
            v_outcome[i] := 'written';
            v_write := true;
        END IF;
    END LOOP;

    IF p_atomic AND v_failed THEN
        v_write := false;
        v_outcome := array_replace(v_outcome, 'written', 'abandoned');
        -- The rows of step 1 go again: a stream without events does not exist.
        DELETE FROM mire_streams s WHERE s.stream_id = ANY (p_streams) AND s.version = 0;
    END IF;

    IF NOT v_write THEN
        RETURN QUERY
        SELECT t.o, t.v, CASE WHEN t.r IS NOT NULL THEN ARRAY[t.r] END, v_now
          FROM unnest(v_outcome, v_actual, v_repeated) WITH ORDINALITY AS t(o, v, r, ord)
         ORDER BY t.ord;
        RETURN;
    END IF;

    -- 4. The mark: "I may still commit positions above this one".
    PERFORM pg_advisory_xact_lock_shared(
                (('mire_position'::regclass::oid::bigint << 32) >> 32)::integer,
                ((CASE WHEN q.is_called THEN q.last_value ELSE 0 END << 32) >> 32)::integer)
       FROM mire_position q;

    -- 5. Positions, events, versions. The sort stands below nextval, so that positions are drawn
    --    in the order of the events.
    IF v_streams = 1 THEN
        RETURN QUERY
        WITH written AS (
            INSERT INTO mire_events
            SELECT nextval('mire_position'), p_streams[1], p_categories[1], v_actual[1] + e.ord,
                   e.t, e.s, e.d::json, e.m::json, v_now
              FROM (SELECT * FROM unnest(p_types, p_schemas, p_data, p_metadata)
                             WITH ORDINALITY AS u(t, s, d, m, ord)
                     ORDER BY u.ord) e
            RETURNING global_position
        ), moved AS (
            UPDATE mire_streams s SET version = v_actual[1] + p_counts[1]
             WHERE s.stream_id = p_streams[1]
        )
        SELECT 'written'::text, v_actual[1] + p_counts[1], array_agg(w.global_position), v_now
          FROM written w;
    ELSE
        RETURN QUERY
        WITH verdict AS MATERIALIZED (
            SELECT t.*, sum(t.events) OVER (ORDER BY t.ord) - t.events AS before
              FROM unnest(p_streams, p_categories, v_outcome, v_actual, p_counts, v_repeated)
                   WITH ORDINALITY AS t(stream, category, outcome, actual, events, repeated, ord)
        ), written AS (
            INSERT INTO mire_events
            SELECT nextval('mire_position'), e.stream, e.category, e.stream_version,
                   e.t, e.s, e.d::json, e.m::json, v_now
              FROM (SELECT v.stream, v.category, v.actual + u.ord - v.before AS stream_version,
                           u.t, u.s, u.d, u.m
                      FROM unnest(p_owners, p_types, p_schemas, p_data, p_metadata)
                           WITH ORDINALITY AS u(owner, t, s, d, m, ord)
                      JOIN verdict v ON v.ord = u.owner
                     WHERE v.outcome = 'written'
                     ORDER BY u.ord) e
            RETURNING mire_events.stream_id, mire_events.global_position
        ), moved AS (
            UPDATE mire_streams s SET version = v.actual + v.events
              FROM verdict v WHERE s.stream_id = v.stream AND v.outcome = 'written'
        )
        SELECT v.outcome,
               CASE WHEN v.outcome = 'written' THEN v.actual + v.events ELSE v.actual END,
               CASE WHEN v.outcome = 'repeated' THEN ARRAY[v.repeated] ELSE w.positions END,
               v_now
          FROM verdict v
          LEFT JOIN (SELECT x.stream_id, array_agg(x.global_position ORDER BY x.global_position) AS positions
                       FROM written x GROUP BY x.stream_id) w ON w.stream_id = v.stream
         ORDER BY v.ord;
    END IF;

    -- 6. Idempotency keys. Under the stream's lock nobody else can be writing the same one.
    IF v_keyed THEN
        INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
        SELECT t.s, t.k, t.a + t.n,
               (SELECT e.global_position FROM mire_events e
                 WHERE e.stream_id = t.s AND e.stream_version = t.a + t.n),
               v_now
          FROM unnest(p_streams, p_keys, v_outcome, v_actual, p_counts) AS t(s, k, o, a, n)
         WHERE t.k IS NOT NULL AND t.o = 'written';
    END IF;
END
$$;

-- Up to where the log may be read: the lowest mark, or the last position when there is none.
--
-- The sequence is read first, then the marks, each in a statement of its own. A position at or
-- below `allocated` was drawn before it was read here, and its mark was set before that; so either
-- the mark is still seen, or its transaction has ended, and then its events are visible to every
-- later statement. Marks carry the low 32 bits; they are unwrapped relative to `allocated`.
CREATE FUNCTION mire_safe_head(
    OUT safe bigint, OUT allocated bigint, OUT pid integer, OUT age_ms bigint, OUT query text
)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_low integer;
BEGIN
    SELECT CASE WHEN q.is_called THEN q.last_value ELSE 0 END INTO allocated FROM mire_position q;
    v_low := ((allocated << 32) >> 32)::integer;

    SELECT allocated + m.distance, m.pid INTO safe, pid
      FROM (SELECT ((l.objid::bigint - v_low) << 32) >> 32 AS distance, l.pid
              FROM pg_locks l
             WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
               AND l.classid = 'mire_position'::regclass::oid
               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           ) m
     ORDER BY m.distance
     LIMIT 1;

    IF safe IS NULL OR safe >= allocated THEN
        safe := allocated;
        pid := NULL;
        RETURN;
    END IF;

    SELECT (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::bigint, left(a.query, 200)
      INTO age_ms, query
      FROM pg_stat_activity a WHERE a.pid = mire_safe_head.pid;
END
$$;
