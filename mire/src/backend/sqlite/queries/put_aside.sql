-- Puts an event aside, or renews what is said of one.
-- $1: subscription, $2: position, $3: stream, $4: version, $5: stored name, $6: state, $7: attempts,
-- $8: error, $9: since when; now, if none is given
INSERT INTO mire_parked (subscription_id, global_position, stream_id, stream_version, event_type,
                         state, attempts, error, parked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
        coalesce($9, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000))
    ON CONFLICT (subscription_id, global_position) DO UPDATE
   SET state = excluded.state, attempts = excluded.attempts, error = excluded.error
