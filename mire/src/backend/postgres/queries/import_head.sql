-- The position of the last event.
SELECT coalesce(max(global_position), 0) FROM mire_events
