-- Makes later appends draw positions above this one. Only after the commit of the events up to it, or
-- readers would take positions for readable that are not.
-- $1: position
SELECT setval('mire_position', greatest(q.last_value, $1), true) FROM mire_position q
