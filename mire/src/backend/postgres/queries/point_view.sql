-- Has a view show a table.
-- $1: view, $2: table
SELECT mire_point_view($1, $2)
