-- Up to where the log may be read. There is one writer, so that is its last position.
SELECT coalesce(max(global_position), 0) FROM mire_events
