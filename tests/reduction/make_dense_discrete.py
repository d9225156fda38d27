#!/usr/bin/env python3
"""Makes data/dense_discrete.txt: the leading Hankel singular values of dense discrete systems that hankel.cpp makes by the same
integers, from SciPy's Stein solver; SLICOT's AB09AD (slycot) must agree. A line: n, inputs, outputs, unit, how many, values.
    python3 make_dense_discrete.py    (numpy, scipy, slycot)
"""
import pathlib

import numpy as np
import slycot
from scipy.linalg import solve_discrete_lyapunov, svdvals


def entries(rows, cols, first):
    """Whole numbers from -128 to 127 over 128, from a hash of the place."""
    i, j = np.meshgrid(np.arange(rows, dtype=np.uint32), np.arange(cols, dtype=np.uint32), indexing="ij")
    x = ((i + np.uint32(first)) * np.uint32(73856093)) ^ (j * np.uint32(19349663))
    x = (x ^ (x >> np.uint32(15))) * np.uint32(2654435761)
    return ((x >> np.uint32(24)).astype(float) - 128) / 128


with open(pathlib.Path(__file__).parent / "data" / "dense_discrete.txt", "w") as out:
    for n, m, p, unit in ((70, 1, 3, 0.1875), (130, 2, 1, 0.140625), (150, 160, 2, 0.125)):
        a, b, c = unit * entries(n, n, 0), entries(n, m, 1000), entries(p, n, 2000)
        wc, wo = solve_discrete_lyapunov(a, b @ b.T), solve_discrete_lyapunov(a.T, c.T @ c)
        root = lambda w: np.linalg.eigh(w)[1] * np.sqrt(np.maximum(np.linalg.eigh(w)[0], 0))
        sigma = svdvals(root(wo).T @ root(wc))
        peer = slycot.ab09ad("D", "B", "N", n, m, p, a, b, c, nr=5)[-1]
        radius = max(abs(np.linalg.eigvals(a)))
        many = 20
        print(n, m, p, radius, sigma[0], sigma[many - 1], "SLICOT apart", max(abs(sigma[:many] - peer[:many])) / sigma[0])
        assert max(abs(sigma[:many] - peer[:many])) < 1e-11 * sigma[0]
        out.write(f"{n} {m} {p} {unit} {many} " + " ".join(f"{s:.17g}" for s in sigma[:many]) + "\n")
