-- The subscription of the version that serves, for the name of a table's subscription.
-- $1: subscription
SELECT subscription || '@' || serving FROM mire_tables WHERE subscription = $1 AND serving IS NOT NULL
