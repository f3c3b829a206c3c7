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

-- Pages are read where the operating system keeps them, which makes scans of large tables (similar_content by embeddings)
-- cheaper. In a new file larger pages help them as well: pragma page_size = 16384, before anything is created.
pragma mmap_size = 1073741824;
