#!/usr/bin/env python3
"""Makes data/hankel.txt: random stable discrete systems and their Hankel singular values.

The values are computed with 80 digits (mpmath) and checked here against SciPy's Stein solver in double, so that
neither is the only oracle.    python3 make_references.py    (numpy, scipy, mpmath)
"""
import pathlib

import mpmath as mp
import numpy as np
from scipy.linalg import cholesky, solve_discrete_lyapunov, svdvals

mp.mp.dps = 80
rng = np.random.default_rng(7)


def planar(real, re, im):
    """The dense A of q real poles and k pairs, planar: [x | Re s | Im s]."""
    q, k = len(real), len(re)
    a = np.zeros((q + 2 * k, q + 2 * k))
    a[range(q), range(q)] = real
    for i in range(k):
        r, c = q + i, q + k + i
        a[r, r] = a[c, c] = re[i]
        a[r, c], a[c, r] = -im[i], im[i]
    return a


def gramian(a, b):
    """Smith doubling, X = sum A^k B B^T A^kT, in mpmath."""
    x, power = b * b.T, a
    while mp.norm(power, 1) > mp.mpf(10) ** -90:
        x += power * x * power.T
        power = power * power
    return x


def hankel(a, b, c):
    a, b, c = (mp.matrix(x.tolist()) for x in (a, b, c))
    wc, wo = gramian(a, b), gramian(a.T, c.T)
    # sigma^2 = eig(E^T wo E), wc = E E^T by its eigendecomposition, which exists for singular wc as well.
    values, vectors = mp.eigsy(wc)
    root = vectors * mp.diag([mp.sqrt(max(v, 0)) for v in values])
    squares = mp.eigsy(root.T * wo * root, eigvals_only=True)
    return sorted((mp.sqrt(max(v, 0)) for v in squares), reverse=True)


def scipy_check(a, b, c, sigma):
    wc = solve_discrete_lyapunov(a, b @ b.T)
    wo = solve_discrete_lyapunov(a.T, c.T @ c)
    try:
        lc, lo = cholesky(wc, lower=True), cholesky(wo, lower=True)
    except np.linalg.LinAlgError:
        return "singular in double"
    got = svdvals(lo.T @ lc)
    worst = max(abs(g / float(s) - 1) for g, s in zip(got, sigma) if s > mp.mpf("1e-4") * sigma[0])
    assert worst < 1e-9, worst
    return f"SciPy agrees to {worst:.1e}"


def write(out, kind, numbers, a, b, c, reals=0):
    sigma = hankel(a, b, c)
    print(kind, a.shape[0], b.shape[1], c.shape[0], scipy_check(a, b, c, sigma))
    out.write(f"{kind} {len(numbers)} {reals} {a.shape[0]} {b.shape[1]} {c.shape[0]}\n")
    for values in (numbers, b.ravel(), c.ravel()):
        out.write(" ".join(f"{v:.17g}" for v in values) + "\n")
    out.write(" ".join(mp.nstr(s, 20) for s in sigma) + "\n")


with open(pathlib.Path(__file__).parent / "data" / "hankel.txt", "w") as out:
    for n, m, p in [(1, 1, 1), (4, 1, 1), (8, 2, 1), (16, 1, 2), (12, 16, 3), (24, 4, 4)]:
        b, c = rng.standard_normal((n, m)), rng.standard_normal((p, n))
        poles = rng.uniform(-0.99, 0.999, n)
        write(out, "diagonal", poles, np.diag(poles), b, c)
        k = (n - n % 3) // 2
        q = n - 2 * k
        radius, angle = np.sqrt(rng.uniform(0, 0.998, k)), rng.uniform(0, np.pi, k)
        real, re, im = rng.uniform(-0.99, 0.99, q), radius * np.cos(angle), radius * np.sin(angle)
        write(out, "pairs", np.concatenate([real, re, im]), planar(real, re, im), b, c, q)
        a = rng.standard_normal((n, n))
        a *= 0.95 / max(abs(np.linalg.eigvals(a)))
        write(out, "dense", a.ravel(), a, b, c)
