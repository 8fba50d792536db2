-- $1: subscription, $2: fingerprint, $3: declared name of the table, $4: generation
INSERT INTO mire_table_versions (subscription, fingerprint, table_name, generation)
VALUES ($1, $2, $3, $4)
