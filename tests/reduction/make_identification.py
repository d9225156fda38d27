#!/usr/bin/env python3
"""Makes data/identification.txt: a recorded input and output with noise, and what NumPy's least squares makes of them.

    y_t = sum_{k <= q} b_k u_{t-k} + sum_{1 <= k <= q} a_k y_{t-k}    by numpy.linalg.lstsq, from rest
    h_k = b_k + sum_i a_i h_{k-i},   g_k = a_k + sum_{i < k} a_i g_{k-i}
and, from the same data, the first Markov parameters by their definition, with a past that is unknown.
python3 make_identification.py    (numpy)
"""
import pathlib

import numpy as np

rng = np.random.default_rng(5)
length, m, p, lags, count, direct = 60, 2, 2, 4, 12, 5
a = np.array([[0.9, 0.2, 0.0], [-0.3, 0.8, 0.1], [0.0, 0.0, -0.5]])
b, c = rng.standard_normal((3, m)), rng.standard_normal((p, 3))
u = np.round(rng.standard_normal((length, m)), 6)
s, y = np.zeros(3), np.zeros((length, p))
for t in range(length):
    s = a @ s + b @ u[t]
    y[t] = c @ s
y = np.round(y + 0.05 * rng.standard_normal(y.shape), 6)


def past(x, t, k):
    return x[t - k] if t >= k else np.zeros(x.shape[1])


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

path = pathlib.Path(__file__).parent / "data" / "identification.txt"
with path.open("w") as f:
    f.write(f"{length} {m} {p} {lags} {count} {direct}\n")
    for block in [u, y, *h, *g[1:], *(z[k * m:][:m].T for k in range(direct)),
                  [[np.linalg.norm(phi @ x - y), np.linalg.norm(psi @ z - y[direct - 1:])]]]:
        for row in np.atleast_2d(block):
            f.write(" ".join(f"{v:.17g}" for v in row) + "\n")
