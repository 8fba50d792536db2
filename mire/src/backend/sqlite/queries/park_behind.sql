-- Puts events aside that stand behind a parked one of their stream. Those whose stream was let go
-- in the meantime are left out.
-- $1: subscription, $2: [[position, stream, version, stored name], …]
INSERT INTO mire_parked (subscription_id, global_position, stream_id, stream_version, event_type,
                         state, attempts, parked_at)
SELECT $1, e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, 'parked', 0,
       CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000
  FROM json_each($2) e
 WHERE EXISTS (SELECT 1 FROM mire_parked parked
                WHERE parked.subscription_id = $1 AND parked.stream_id = e.value ->> 1
                  AND parked.state <> 'skipped')
    ON CONFLICT (subscription_id, global_position) DO UPDATE SET state = 'parked'
