"""Writes the contents of a synthetic set, id and JSON array of genres, from the masks the generator left."""

import sys

import numpy

directory = sys.argv[1]
names = ["genre%02d" % g for g in range(20)]
mask = numpy.load(directory + "/items.npz")["mask"]
with open(directory + "/contents.tsv", "w") as file:
    for item, genres in enumerate(mask):
        texts = ",".join('"%s"' % name for g, name in enumerate(names) if genres >> g & 1)
        file.write("%d\t[%s]\n" % (1000 + item, texts))
