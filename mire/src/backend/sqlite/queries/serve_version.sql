-- $1: subscription, $2: fingerprint
UPDATE mire_tables SET serving = $2 WHERE subscription = $1
