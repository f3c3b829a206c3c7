"""Top-10 with numpy and scipy: the row of a sparse user x content matrix times the matrix, and dense genre vectors.

scipy_top.py SETS SAMPLE; a line `first budget_ms` is answered with milliseconds a user.
"""

import sys
import time

import numpy
import scipy.sparse

words = numpy.fromfile(sys.argv[1], dtype="<u4")
sample = [int(line) for line in open(sys.argv[2])]
users, contents, genres = (int(word) for word in words[:3])
starts = words[3 : 4 + users].astype(numpy.int64)
items = words[4 + users : 4 + users + starts[-1]].astype(numpy.int32)
weights = words[4 + users + starts[-1] :].view("<f4").reshape(users, genres)
matrix = scipy.sparse.csr_matrix((numpy.ones(len(items), numpy.float32), items, starts), shape=(users, contents))
by_content = matrix.T.tocsr()
sizes = numpy.diff(starts)


def top(user):
    shared = numpy.zeros(users, numpy.float32)
    row = matrix[user] @ by_content
    shared[row.indices] = row.data
    scores = 0.7 * shared / numpy.maximum(sizes[user] + sizes - shared, 1) + 0.3 * (weights @ weights[user])
    scores[user] = -1
    best = numpy.argpartition(scores, -min(10, users))[-10:]
    return best[numpy.lexsort((best, -scores[best]))]


print("ready", flush=True)
for line in sys.stdin:
    first, budget = line.split()
    begun = time.perf_counter()
    times = []
    for place in range(len(sample)):
        start = time.perf_counter()
        top(sample[(int(first) + place) % len(sample)])
        times.append((time.perf_counter() - start) * 1000)
        if (time.perf_counter() - begun) * 1000 > int(budget):
            break
    print(*times, flush=True)
