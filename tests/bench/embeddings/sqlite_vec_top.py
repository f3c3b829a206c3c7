"""Exact cosine top-10 with sqlite-vec, in a file of its own with the pragmas of the other contenders.

sqlite_vec_top.py VECTORS DIM FILE; a line `first budget_ms` is answered with milliseconds a probe.
"""

import sys
import time

import apsw
import numpy
import sqlite_vec

vectors = numpy.fromfile(sys.argv[1], dtype="<f4").reshape(-1, int(sys.argv[2]))
connection = apsw.Connection(sys.argv[3])
connection.enable_load_extension(True)
connection.load_extension(sqlite_vec.loadable_path())
connection.execute("pragma page_size = 16384; pragma synchronous = off; pragma cache_size = -262144; pragma mmap_size = 1073741824")
connection.execute(f"create virtual table v using vec0(embedding float[{vectors.shape[1]}] distance_metric=cosine)")
with connection:
    rows = ((place, vector.tobytes()) for place, vector in enumerate(vectors))
    connection.executemany("insert into v (rowid, embedding) values (?, ?)", rows)


def top(probe):
    query = "select rowid, distance from v where embedding match ? and k = 11"
    return list(connection.execute(query, (vectors[probe].tobytes(),)))


top(0)
print("ready", flush=True)
for line in sys.stdin:
    first, budget = (int(word) for word in line.split())
    begun = time.perf_counter()
    times = []
    while not times or (time.perf_counter() - begun) * 1000 < budget:
        start = time.perf_counter()
        top((first + len(times)) % len(vectors))
        times.append((time.perf_counter() - start) * 1000)
    print(*times, flush=True)
