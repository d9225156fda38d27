#!/usr/bin/env python3
"""Makes data/identification.txt: a recorded input and output with noise, and what NumPy's least squares makes of them.

    y_t = sum_{k <= q} b_k u_{t-k} + sum_{1 <= k <= q} a_k y_{t-k}    by numpy.linalg.lstsq, from rest
    h_k = b_k + sum_i a_i h_{k-i},   g_k = a_k + sum_{i < k} a_i g_{k-i}
and, from the same data, the first Markov parameters by their definition, with a past that is unknown.
And data/complex_identification.txt: the same of a complex system, numbers as pairs re im; then the singular values of the Hankel
matrix of its h_k, noise and all, by numpy.linalg.svd, and the poles of the realization of order 3 that is made from them.
python3 make_identification.py    (numpy)
"""
import pathlib
import sys

import numpy as np

folder = pathlib.Path(__file__).parent
sys.path.append(str(folder.parent / "support"))
from complex_text import normal, save  # noqa: E402


def past(x, t, k):
    return x[t - k] if t >= k else np.zeros(x.shape[1])


length, m, p, lags, count, direct = 60, 2, 2, 4, 12, 5


def identified(a, b, c, u, noise, rounded):
    s, y = np.zeros(3, a.dtype), np.zeros((length, p), a.dtype)
    for t in range(length):
        s = a @ s + b @ u[t]
        y[t] = c @ s
    y = rounded(y + 0.05 * noise(y.shape))
    phi = np.array([np.concatenate([u[t]] + [np.concatenate([past(u, t, k), past(y, t, k)]) for k in range(1, lags + 1)])
                    for t in range(length)])
    x, _, rank, _ = np.linalg.lstsq(phi, y, rcond=None)
    assert rank == phi.shape[1]
    beta = [x[:m].T] + [x[m + k * (m + p):][:m].T for k in range(lags)]
    alpha = [None] + [x[2 * m + k * (m + p):][:p].T for k in range(lags)]
    h, g = [], [None]
    for k in range(count):
        h.append((beta[k] if k <= lags else np.zeros((p, m))) + sum(alpha[i] @ h[k - i] for i in range(1, min(k, lags) + 1)))
        if k > 0:
            g.append((alpha[k] if k <= lags else np.zeros((p, p))) + sum(alpha[i] @ g[k - i] for i in range(1, min(k - 1, lags) + 1)))
    psi = np.array([np.concatenate([u[t - k] for k in range(direct)]) for t in range(direct - 1, length)])
    z, *_ = np.linalg.lstsq(psi, y[direct - 1:], rcond=None)
    return [u, y, *h, *g[1:], *(z[k * m:][:m].T for k in range(direct)),
            [[np.linalg.norm(phi @ x - y), np.linalg.norm(psi @ z - y[direct - 1:])]]], h


rng = np.random.default_rng(5)
a = np.array([[0.9, 0.2, 0.0], [-0.3, 0.8, 0.1], [0.0, 0.0, -0.5]])
b, c = rng.standard_normal((3, m)), rng.standard_normal((p, 3))
u = np.round(rng.standard_normal((length, m)), 6)
with (folder / "data" / "identification.txt").open("w") as f:
    f.write(f"{length} {m} {p} {lags} {count} {direct}\n")
    for block in identified(a, b, c, u, rng.standard_normal, lambda y: np.round(y, 6))[0]:
        for row in np.atleast_2d(block):
            f.write(" ".join(f"{v:.17g}" for v in row) + "\n")

rng = np.random.default_rng(6)
a = np.array([[0.8 + 0.4j, 0.2, 0], [-0.3j, 0.6 - 0.5j, 0.1], [0, 0, -0.5 + 0.1j]])
b, c, u = normal(rng, 3, m), normal(rng, p, 3), normal(rng, length, m)
blocks, h = identified(a, b, c, u, lambda shape: normal(rng, *shape), lambda y: np.round(y * 2**20) / 2**20)
half = count // 2
left, sigma, right = np.linalg.svd(np.block([[h[i + j] for j in range(half)] for i in range(half)]))
moved = np.block([[h[i + j + 1] for j in range(half)] for i in range(half)])
root = np.sqrt(sigma[:3])
poles = np.linalg.eigvals((left[:, :3].conj().T @ moved @ right[:3].conj().T) / np.outer(root, root))
with (folder / "data" / "complex_identification.txt").open("w") as f:
    f.write(f"{length} {m} {p} {lags} {count} {direct}\n")
    save(f, *blocks, sigma, poles)
