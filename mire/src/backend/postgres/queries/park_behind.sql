-- Puts events aside that stand behind a parked one of their stream. Those whose stream was let go
-- in the meantime are left out; the caller holds the checkpoint's row, and so does whoever lets go.
-- $1: subscription, $2: positions, $3: streams, $4: versions, $5: stored names
INSERT INTO mire_parked (subscription_id, global_position, stream_id, stream_version, event_type,
                         state, attempts)
SELECT $1, event.global_position, event.stream_id, event.stream_version, event.event_type,
       'parked', 0
  FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[])
    AS event (global_position, stream_id, stream_version, event_type)
 WHERE EXISTS (SELECT FROM mire_parked parked
                WHERE parked.subscription_id = $1 AND parked.stream_id = event.stream_id
                  AND parked.state <> 'skipped')
    ON CONFLICT (subscription_id, global_position) DO UPDATE SET state = 'parked'
