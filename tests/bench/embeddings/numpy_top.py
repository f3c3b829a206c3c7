"""Exact cosine top-10 with numpy: the matrix times a vector, in RAM.

numpy_top.py VECTORS DIM; a line `first budget_ms` is answered with milliseconds a probe.
"""

import sys
import time

import numpy

vectors = numpy.fromfile(sys.argv[1], dtype="<f4").reshape(-1, int(sys.argv[2]))
lengths = numpy.linalg.norm(vectors, axis=1)


def top(probe):
    scores = (vectors @ vectors[probe]) / lengths
    best = numpy.argpartition(scores, -11)[-11:]
    return best[numpy.argsort(-scores[best])]


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
