-- Run it once per connection, outside a transaction: sqlite3 my.db < tune.sql, or by the application after opening.
-- cotaste_health tells what is in force.

-- Readers do not wait for the writer. Stays with the file.
pragma journal_mode = wal;

-- With WAL, a power cut may lose the last commits but never damages the file.
pragma synchronous = normal;

-- 64 MiB of pages.
pragma cache_size = -65536;

-- Wait for another writer instead of failing at once.
pragma busy_timeout = 5000;
