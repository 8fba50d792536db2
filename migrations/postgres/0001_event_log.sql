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
-- These are kept by the functions below, not by CHECK constraints: PostgreSQL reads the text of a
-- constraint anew for every statement, which an append of one event pays for.
-- I3 needs READ COMMITTED, which mire_append checks, and a position sequence with CACHE 1, which
-- migrating checks.

CREATE TABLE mire_streams (
    stream_id text COLLATE "C" PRIMARY KEY,
    category  text COLLATE "C" NOT NULL,
    version   bigint NOT NULL
) WITH (fillfactor = 80);

COMMENT ON TABLE mire_streams IS
    'One row a stream. Its lock is the stream''s lock; its version is that of the last event.';

-- A session that cached values ahead could commit positions from below another one's mark.
CREATE SEQUENCE mire_position AS bigint CACHE 1;

CREATE TABLE mire_events (
    global_position bigint PRIMARY KEY,
    stream_id       text COLLATE "C" NOT NULL,
    category        text COLLATE "C" NOT NULL,
    stream_version  bigint NOT NULL,
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
-- In:  an element a stream (the streams are distinct, and in the order of their names' bytes, which
--      is the order of the locks): name, category, expected version (-1 any, 0 none), number of
--      events, idempotency key or null; p_keys itself is null when there is no key at all. Then an
--      element an event, in the order of their positions: the ordinal of its stream, its number
--      within that stream's share (1, 2, 3 …), and what is stored. p_wait: wait for locked streams,
--      else answer 'busy'. p_atomic: all or nothing. p_lock_timeout: how long any lock may be waited
--      for, in milliseconds; null: as the transaction says. Also a call that is not to wait for a
--      locked stream has to wait for one that is just being created, since nobody can see its row
--      yet, and for a table that somebody has locked, for example to build an index.
-- Out: an element a stream: its outcome, and the version that it was found at, which is the actual
--      one for a 'conflict'; for a 'repeated' append the one first answered, whose position is in
--      `repeated`. And an element an event: its position, or null when it was not written.
--
-- The order of the steps is what makes I2 and I3 hold. Nothing after the mark can wait for another
-- transaction: every row it touches is new, or locked before.
--
-- Plans are kept by the session, and mire_streams may have been empty when they were made. Without
-- sequential scans they stay right however it grows.
--
-- What a step costs is mostly the statement itself, so a single stream and a single event have
-- statements of their own, and arrays are taken by subscript: unnest() copies each array once more.
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
    v_events  integer := cardinality(p_owners);
    -- An element a stream: its version once it is locked; null before, -1 when it stays busy.
    v_actual  bigint[];
    -- Where the locked rows are, if all streams were there: nobody can move them now.
    v_rows    tid[];
    v_names   text[];
    v_version bigint;
    v_mark    bigint;
    v_moved   bigint;
    v_found   record;
BEGIN
    created_at := clock_timestamp();
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'mire appends need the isolation level READ COMMITTED, and this transaction has %',
            upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'invalid_transaction_state',
                  HINT = 'Begin with ISOLATION LEVEL READ COMMITTED, and leave default_transaction_isolation at "read committed".';
    END IF;

    -- Also for who does not wait for streams: the tables themselves can be locked.
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
         ORDER BY t.s COLLATE "C"
        ON CONFLICT ON CONSTRAINT mire_streams_pkey DO NOTHING;
    END IF;

    -- 2. The streams' locks, and with them their versions.
    LOOP
        IF v_streams = 1 THEN
            IF p_wait THEN
                SELECT s.version INTO v_version
                  FROM mire_streams s WHERE s.stream_id = p_streams[1] FOR UPDATE;
            ELSE
                SELECT s.version INTO v_version
                  FROM mire_streams s WHERE s.stream_id = p_streams[1] FOR UPDATE SKIP LOCKED;
            END IF;
            v_actual := ARRAY[v_version];
        ELSE
            IF p_wait THEN
                SELECT array_agg(l.stream_id), array_agg(l.version), array_agg(l.ctid)
                  INTO v_names, v_actual, v_rows FROM (
                    SELECT s.stream_id, s.version, s.ctid FROM mire_streams s
                     WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE
                ) l;
            ELSE
                SELECT array_agg(l.stream_id), array_agg(l.version), array_agg(l.ctid)
                  INTO v_names, v_actual, v_rows FROM (
                    SELECT s.stream_id, s.version, s.ctid FROM mire_streams s
                     WHERE s.stream_id = ANY (p_streams) ORDER BY s.stream_id FOR UPDATE SKIP LOCKED
                ) l;
            END IF;
            EXIT WHEN v_names = p_streams;
            -- Some are missing, or busy.
            v_rows := NULL;
            SELECT array_agg(l.v ORDER BY t.ord) INTO v_actual
              FROM unnest(p_streams) WITH ORDINALITY AS t(s, ord)
              LEFT JOIN unnest(v_names, v_actual) AS l(s, v) ON l.s = t.s;
        END IF;
        EXIT WHEN array_position(v_actual, NULL) IS NULL;

        -- A row that is made here is locked by that. One that somebody else made meanwhile is not.
        -- Who does not wait for locks has to wait here all the same, for whoever is making it.
        WITH created AS (
            INSERT INTO mire_streams (stream_id, category, version)
            SELECT t.s, t.c, 0
              FROM unnest(p_streams, p_categories, p_expected, v_actual) AS t(s, c, e, a)
             WHERE t.e <= 0 AND t.a IS NULL
             ORDER BY t.s COLLATE "C"
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
    IF p_keys IS NOT NULL THEN
        repeated := array_fill(NULL::bigint, ARRAY[v_streams]);
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
    -- The look at the busy ones comes first: they have the -1 that "any" is expected with, too.
    IF p_keys IS NULL AND NOT -1 = ANY (v_actual)
       AND (p_expected = v_actual OR -1 = ALL (p_expected)) THEN
        outcomes := array_fill('written'::text, ARRAY[v_streams]);
    ELSE
        SELECT array_agg(CASE
                   WHEN v_actual[g] < 0 THEN 'busy'
                   WHEN repeated[g] IS NOT NULL THEN 'repeated'
                   WHEN p_expected[g] >= 0 AND p_expected[g] <> v_actual[g] THEN 'conflict'
                   ELSE 'written' END ORDER BY g) INTO outcomes
          FROM generate_series(1, v_streams) g;
    END IF;
    versions := v_actual;

    IF p_atomic AND outcomes && ARRAY['busy', 'conflict'] THEN
        outcomes := array_replace(outcomes, 'written', 'abandoned');
        -- The rows of the first steps go again: a stream without events does not exist.
        DELETE FROM mire_streams s WHERE s.stream_id = ANY (p_streams) AND s.version = 0;
    END IF;
    IF NOT 'written' = ANY (outcomes) THEN
        RETURN;
    END IF;

    -- 4. The mark: "I may still commit positions above this one". The lock's answer is void, and the
    --    condition only a way to ask for it without a statement of its own.
    v_mark := coalesce(pg_sequence_last_value('mire_position'::regclass), 0);
    IF pg_advisory_xact_lock_shared(
           (('mire_position'::regclass::oid::bigint << 32) >> 32)::integer,
           ((v_mark << 32) >> 32)::integer) IS NULL THEN
        RAISE EXCEPTION 'the append could not be marked';
    END IF;

    -- 5. Positions, events, versions.
    IF v_events = 1 THEN
        positions := ARRAY[nextval('mire_position')];
        INSERT INTO mire_events VALUES (
            positions[1], p_streams[1], p_categories[1], v_actual[1] + 1, p_types[1], p_schemas[1],
            p_data[1]::json, p_metadata[1]::json, created_at);
    ELSE
        SELECT array_agg(CASE WHEN outcomes[p_owners[g]] = 'written' THEN nextval('mire_position') END)
          INTO positions
          FROM generate_series(1, v_events) g;
        INSERT INTO mire_events
        SELECT positions[g], p_streams[p_owners[g]], p_categories[p_owners[g]],
               v_actual[p_owners[g]] + p_numbers[g], p_types[g], p_schemas[g], p_data[g]::json,
               p_metadata[g]::json, mire_append.created_at
          FROM generate_series(1, v_events) g
         WHERE positions[g] IS NOT NULL;
    END IF;

    IF v_streams = 1 THEN
        UPDATE mire_streams s SET version = s.version + p_counts[1] WHERE s.stream_id = p_streams[1];
        GET DIAGNOSTICS v_moved = ROW_COUNT;
    ELSIF v_rows IS NOT NULL THEN
        UPDATE mire_streams s SET version = s.version + p_counts[g]
          FROM generate_series(1, v_streams) g
         WHERE s.ctid = v_rows[g] AND outcomes[g] = 'written';
        GET DIAGNOSTICS v_moved = ROW_COUNT;
    ELSE
        UPDATE mire_streams s SET version = s.version + p_counts[g]
          FROM generate_series(1, v_streams) g
         WHERE s.stream_id = p_streams[g] AND outcomes[g] = 'written';
        GET DIAGNOSTICS v_moved = ROW_COUNT;
    END IF;
    IF v_moved <> cardinality(array_positions(outcomes, 'written')) THEN
        RAISE EXCEPTION 'the versions of % streams were to be moved, and those of % were',
            cardinality(array_positions(outcomes, 'written')), v_moved;
    END IF;

    -- 6. Idempotency keys. Under the stream's lock nobody else can be writing the same one.
    IF p_keys IS NOT NULL THEN
        INSERT INTO mire_idempotency (stream_id, key, version, position, created_at)
        SELECT p_streams[g], p_keys[g], v_actual[g] + p_counts[g],
               (SELECT e.global_position FROM mire_events e
                 WHERE e.stream_id = p_streams[g] AND e.stream_version = v_actual[g] + p_counts[g]),
               mire_append.created_at
          FROM generate_series(1, v_streams) g
         WHERE p_keys[g] IS NOT NULL AND outcomes[g] = 'written';
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
