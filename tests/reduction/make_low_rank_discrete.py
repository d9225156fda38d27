#!/usr/bin/env python3
"""Makes data/low_rank_discrete.txt: sparse discrete systems E s_t = A s_{t-1} + B u_t and their leading Hankel singular values as SciPy
computes them from the dense form, sqrt(eig(PQ)): those above 1e-5 of the first, which eps sigma_1^2/sigma leaves to 1e-10. Printed beside
them, how far SLICOT's AB09AD is off: by 4e-5 for `walk`, where the closed form of a symmetric A agrees with SciPy to 1e-10.
python3 make_low_rank_discrete.py    (numpy, scipy, slycot)

Per system: name, k, how many values; the values. Systems (grid point (row i, column j) is state i k + j):
    walk    heat's five-point Laplacian L (zero around) by Euler steps: A = I + L/5;  B: 1/k on the first quarter of the columns;
            C: the mean over the last quarter of the rows, and over everything
    wind    A = I + L/8 - (x_ij - x_i,j-1)/4 - (x_ij - x_i-1,j)/8, the same B and C
    mass    E = I + L/12, A = E + L/14, the same
    rings   k pairs 0.97 (1 - 0.3 i/k) exp(+-1i (i + 1) 3/k), each hearing 0.02 of its neighbour; B: 1/(i + 1) on first, cos(i) on second
            states; C: 1 on first states
"""
import pathlib

import numpy as np
import scipy.linalg as la
import slycot


def system(name, k):
    if name == "rings":
        n, a = 2 * k, np.zeros((2 * k, 2 * k))
        b, c = np.zeros((n, 2)), np.zeros((1, n))
        for i in range(k):
            r, t = 0.97 * (1 - 0.3 * i / k), (i + 1) * 3 / k
            a[2 * i:2 * i + 2, 2 * i:2 * i + 2] = [[r * np.cos(t), -r * np.sin(t)], [r * np.sin(t), r * np.cos(t)]]
            if i > 0:
                a[2 * i, 2 * i - 2] = 0.02
            b[2 * i, 0], b[2 * i + 1, 1], c[0, 2 * i] = 1 / (i + 1), np.cos(i), 1
        return a, b, c
    one, second = np.eye(k), np.diag(-2 * np.ones(k)) + np.diag(np.ones(k - 1), 1) + np.diag(np.ones(k - 1), -1)
    back = np.eye(k) - np.diag(np.ones(k - 1), -1)
    laplace = np.kron(one, second) + np.kron(second, one)
    i, j = np.divmod(np.arange(k * k), k)
    b = (np.where(j < k // 4, 1.0, 0.0) / k)[:, None]
    c = np.stack([np.where(i >= k - k // 4, 1.0, 0.0) / (k * (k // 4)), np.full(k * k, 1 / k**2)])
    eye = np.eye(k * k)
    if name == "walk":
        return eye + laplace / 5, b, c
    if name == "wind":
        return eye + laplace / 8 - np.kron(one, back) / 4 - np.kron(back, one) / 8, b, c
    e = eye + laplace / 12
    return np.linalg.solve(e, e + laplace / 14), np.linalg.solve(e, b), c


with open(pathlib.Path(__file__).parent / "data" / "low_rank_discrete.txt", "w") as f:
    for name, k in (("walk", 16), ("wind", 16), ("mass", 16), ("rings", 60)):
        a, b, c = system(name, k)
        assert max(abs(np.linalg.eigvals(a))) < 1
        p, q = la.solve_discrete_lyapunov(a, b @ b.T), la.solve_discrete_lyapunov(a.T, c.T @ c)
        sigma = np.sqrt(np.sort(abs(la.eigvals(p @ q)))[::-1])
        keep = sigma[: min(14, int((sigma > 1e-5 * sigma[0]).sum()))]
        slicot = slycot.ab09ad("D", "B", "N", len(a), b.shape[1], c.shape[0], a, b, c, nr=1)[4][: len(keep)]
        print(name, len(a), keep / keep[0], f"SLICOT: {max(abs(slicot - keep)) / keep[0]:.0e}")
        if abs(a - a.T).max() == 0:
            w, v = np.linalg.eigh(a)
            bt, ct, d = v.T @ b, c @ v, 1 - np.outer(w, w)
            closed = np.sqrt(np.sort(abs(la.eigvals(((bt @ bt.T) / d) @ ((ct.T @ ct) / d))))[::-1])[: len(keep)]
            assert max(abs(closed - keep)) < 1e-10 * keep[0]
        f.write(f"{name} {k} {len(keep)}\n" + " ".join(f"{x:.17g}" for x in keep) + "\n")
