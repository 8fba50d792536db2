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
--      0 none), number of events, idempotency key or null; p_keys itself is null when there is no
--      key at all. Then an element an event, stream by stream: the ordinal of its stream, its number
--      within that stream's share (1, 2, 3 …), and what is stored. p_wait: wait for locked streams,
--      else answer 'busy'. p_atomic: all or nothing. p_lock_timeout: how long any lock may be waited
--      for, in milliseconds; null: as the transaction says. Also a call that is not to wait for a
--      locked stream has to wait for one that is just being created: nobody can see its row yet.
-- Out: an element a stream: its outcome, and the stream's version afterwards; the actual one for a
--      'conflict'; the one first answered for a 'repeated' append, whose position is in `repeated`.
--      And an element an event that was written, in order: its position.
--
-- The order of the steps is what makes I2 and I3 hold. Nothing after the mark can wait for another
-- transaction: every row it touches is new, or locked before.
--
-- Plans are kept by the session, and mire_streams may have been empty when they were made. Without
-- sequential scans they stay right however it grows.
CREATE FUNCTION mire_append(
    p_streams text[], p_categories text[], p_expected bigint[], p_counts integer[], p_keys text[],
    p_owners integer[], p_numbers integer[], p_types text[], p_schemas integer[], p_data text[],
    p_metadata text[], p_wait boolean, p_atomic boolean, p_lock_timeout integer,
    OUT outcomes text[], OUT versions bigint[], OUT repeated bigint[], OUT positions bigint[],
    OUT created_at timestamptz
)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_streams integer := cardinality(p_streams);
    -- An element a stream: its version once it is locked; null before, -1 when it stays busy.
    v_actual  bigint[];
    v_found   record;
BEGIN
    created_at := clock_timestamp();
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'mire appends need the isolation level READ COMMITTED, and this transaction has %',
            upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'invalid_transaction_state',
                  HINT = 'Begin with ISOLATION LEVEL READ COMMITTED, and leave default_transaction_isolation at "read committed".';
    END IF;

    IF p_lock_timeout IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_lock_timeout::text, true);
    END IF;

    -- 1. Who waits for several streams creates the missing ones first, in name order like the
    --    locks, so that two such calls never wait for each other.
    IF p_wait AND v_streams > 1 AND 0 >= ANY (p_expected) THEN
        INSERT INTO mire_streams (stream_id, category, version)
        SELECT t.s, t.c, 0
          FROM unnest(p_streams, p_categories, p_expected) AS t(s, c, e)
         WHERE t.e <= 0
         ORDER BY t.s
        ON CONFLICT ON CONSTRAINT mire_streams_pkey DO NOTHING;
    END IF;

    -- 2. The streams' locks, and with them their versions.
    LOOP
        IF v_streams = 1 AND p_wait THEN
            SELECT ARRAY[max(l.version)] INTO v_actual FROM (
                SELECT s.version FROM mire_streams s WHERE s.stream_id = p_streams[1] FOR UPDATE
            ) l;
        ELSIF v_streams = 1 THEN
            SELECT ARRAY[max(l.version)] INTO v_actual FROM (
                SELECT s.version FROM mire_streams s WHERE s.stream_id = p_streams[1]
                   FOR UPDATE SKIP LOCKED
            ) l;
        ELSIF p_wait THEN
            WITH locked AS MATERIALIZED (
                SELECT s.stream_id, s.version FROM mire_streams s
                 WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE
            )
            SELECT array_agg(l.version ORDER BY t.ord) INTO v_actual
              FROM unnest(p_streams) WITH ORDINALITY AS t(s, ord)
              LEFT JOIN locked l ON l.stream_id = t.s;
        ELSE
            WITH locked AS MATERIALIZED (
                SELECT s.stream_id, s.version FROM mire_streams s
                 WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE SKIP LOCKED
            )
            SELECT array_agg(l.version ORDER BY t.ord) INTO v_actual
              FROM unnest(p_streams) WITH ORDINALITY AS t(s, ord)
              LEFT JOIN locked l ON l.stream_id = t.s;
        END IF;
        EXIT WHEN array_position(v_actual, NULL) IS NULL;

        -- A row that is made here is locked by that. One that somebody else made meanwhile is not.
        WITH created AS (
            INSERT INTO mire_streams (stream_id, category, version)
            SELECT t.s, t.c, 0
              FROM unnest(p_streams, p_categories, p_expected, v_actual) AS t(s, c, e, a)
             WHERE t.e <= 0 AND t.a IS NULL
             ORDER BY t.s
            ON CONFLICT ON CONSTRAINT mire_streams_pkey DO NOTHING
            RETURNING stream_id
        )
        SELECT array_agg(CASE
                   WHEN t.a IS NOT NULL THEN t.a
                   WHEN c.stream_id IS NOT NULL THEN 0
                   WHEN p_wait THEN CASE WHEN t.e > 0 THEN 0 END
                   WHEN t.e > 0 AND NOT EXISTS (SELECT FROM mire_streams s WHERE s.stream_id = t.s) THEN 0
                   ELSE -1 END ORDER BY t.ord) INTO v_actual
          FROM unnest(p_streams, p_expected, v_actual) WITH ORDINALITY AS t(s, e, a, ord)
          LEFT JOIN created c ON c.stream_id = t.s;
        EXIT WHEN array_position(v_actual, NULL) IS NULL;
    END LOOP;

    -- 3. The verdict on each.
    repeated := array_fill(NULL::bigint, ARRAY[v_streams]);
    IF p_keys IS NOT NULL THEN
        FOR i IN 1 .. v_streams LOOP
            CONTINUE WHEN p_keys[i] IS NULL OR v_actual[i] < 0;
            SELECT k.version, k.position INTO v_found
              FROM mire_idempotency k WHERE k.stream_id = p_streams[i] AND k.key = p_keys[i];
            IF FOUND THEN
                v_actual[i] := v_found.version;
                repeated[i] := v_found.position;
            END IF;
        END LOOP;
    END IF;
    SELECT array_agg(CASE
               WHEN t.a < 0 THEN 'busy'
               WHEN t.r IS NOT NULL THEN 'repeated'
               WHEN t.e >= 0 AND t.e <> t.a THEN 'conflict'
               ELSE 'written' END ORDER BY t.ord) INTO outcomes
      FROM unnest(v_actual, repeated, p_expected) WITH ORDINALITY AS t(a, r, e, ord);

    IF p_atomic AND outcomes && ARRAY['busy', 'conflict'] THEN
        outcomes := array_replace(outcomes, 'written', 'abandoned');
        -- The rows of the first steps go again: a stream without events does not exist.
        DELETE FROM mire_streams s WHERE s.stream_id = ANY (p_streams) AND s.version = 0;
    END IF;

    versions := v_actual;
    IF NOT 'written' = ANY (outcomes) THEN
        RETURN;
    END IF;

    -- 4. The mark: "I may still commit positions above this one".
    PERFORM pg_advisory_xact_lock_shared(
                (('mire_position'::regclass::oid::bigint << 32) >> 32)::integer,
                ((CASE WHEN q.is_called THEN q.last_value ELSE 0 END << 32) >> 32)::integer)
       FROM mire_position q;

    -- 5. Positions, events, versions. The sort stands below nextval, so that positions are drawn
    --    in the order of the events.
    WITH written AS (
        INSERT INTO mire_events
        SELECT nextval('mire_position'), p_streams[e.owner], p_categories[e.owner],
               v_actual[e.owner] + e.number, e.t, e.s, e.d::json, e.m::json, mire_append.created_at
          FROM (SELECT *
                  FROM unnest(p_owners, p_numbers, p_types, p_schemas, p_data, p_metadata)
                       WITH ORDINALITY AS u(owner, number, t, s, d, m, ord)
                 WHERE outcomes[u.owner] = 'written'
                 ORDER BY u.ord) e
        RETURNING global_position
    )
    SELECT array_agg(w.global_position) INTO positions FROM written w;

    UPDATE mire_streams s SET version = t.a + t.n
      FROM unnest(p_streams, outcomes, v_actual, p_counts) AS t(s, o, a, n)
     WHERE s.stream_id = t.s AND t.o = 'written';

    SELECT array_agg(CASE WHEN t.o = 'written' THEN t.a + t.n ELSE t.a END ORDER BY t.ord) INTO versions
      FROM unnest(outcomes, v_actual, p_counts) WITH ORDINALITY AS t(o, a, n, ord);

    -- 6. Idempotency keys. Under the stream's lock nobody else can be writing the same one.
    IF p_keys IS NOT NULL THEN
        INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
        SELECT t.s, t.k, t.v,
               (SELECT e.global_position FROM mire_events e
                 WHERE e.stream_id = t.s AND e.stream_version = t.v),
               mire_append.created_at
          FROM unnest(p_streams, p_keys, outcomes, versions) AS t(s, k, o, v)
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
