-- Up to where the log may be read, and who holds it back; see mire_safe_head in the migrations.
SELECT safe, allocated, pid, age_ms, query FROM mire_safe_head()
