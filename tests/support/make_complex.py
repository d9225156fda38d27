"""References for complex systems: python make_complex.py (numpy, scipy, mpmath). Writes data/complex.txt, numbers as pairs re im:
per system: 0 (continuous) or 1 (discrete), 0 (dense) or 1 (diagonal), n m p, A (its diagonal), B, C, D; then Wc and Wo by mpmath from
their closed form or the Kronecker form of their equations, 100 digits, which SciPy's solvers confirm; the Hankel singular values, square roots of the
eigenvalues of Wc Wo; the H2 norm; three frequencies and G there, the H-infinity norm and where (NumPy, polished by SciPy).
Then A, B, C, X of SciPy's solve_sylvester.
17 digits, row by row. Discrete systems are ours: the current input enters at once, G(z) = z C (zI - A)^-1 B + D."""

import pathlib

import mpmath as mp
import numpy as np
import scipy.linalg
import scipy.optimize

from complex_text import normal, save

mp.mp.dps = 100
rng = np.random.default_rng(3)
folder = pathlib.Path(__file__).parent / "data"


def kronecker(a, discrete):
    """Of vec X by columns: conj A (x) A - I, or I (x) A + conj A (x) I."""
    n = len(a)
    am = [[mp.mpc(x) for x in row] for row in a]
    k = mp.zeros(n * n)
    for i in range(n):
        for j in range(n):
            for l in range(n):
                for h in range(n):
                    if discrete:
                        k[j * n + i, l * n + h] = mp.conj(am[j][l]) * am[i][h] - (1 if (i, j) == (h, l) else 0)
                    else:
                        k[j * n + i, l * n + h] = (am[i][h] if j == l else 0) + (mp.conj(am[j][l]) if i == h else 0)
    return k


def column(b):
    q = mp.matrix(b.tolist())
    q = q * q.H
    return mp.matrix([-q[i, j] for j in range(q.cols) for i in range(q.rows)])


def unvec(x, n):
    m = mp.matrix(n, n)
    for j in range(n):
        for i in range(n):
            m[i, j] = x[j * n + i]
    return m


def to_numpy(m):
    return np.array(m.tolist(), dtype=complex)


def gramian(a, b, discrete):
    n = len(a)
    if np.array_equal(a, np.diag(np.diag(a))):  # b_i b_j^H / (1 - l_i conj l_j) or / (-l_i - conj l_j)
        l, q = [mp.mpc(x) for x in np.diag(a)], column(b)
        x = mp.matrix(n, n)
        for i in range(n):
            for j in range(n):
                x[i, j] = -q[j * n + i] / (1 - l[i] * mp.conj(l[j]) if discrete else -l[i] - mp.conj(l[j]))
    else:
        x = unvec(mp.lu_solve(kronecker(a, discrete), column(b)), n)
    solver = scipy.linalg.solve_discrete_lyapunov if discrete else lambda f, q: scipy.linalg.solve_continuous_lyapunov(f, -q)
    assert np.allclose(to_numpy(x), solver(a, b @ b.conj().T), rtol=1e-8, atol=1e-10)
    return x


with open(folder / "complex.txt", "w") as f:
    for discrete, diagonal, n, m, p in ((0, 0, 1, 1, 1), (0, 0, 6, 2, 3), (1, 0, 1, 2, 1), (1, 0, 6, 2, 3), (0, 1, 14, 2, 1), (1, 1, 14, 1, 2)):
        a, b, c, d = normal(rng, n, n), normal(rng, n, m), normal(rng, p, n), normal(rng, p, m)
        if diagonal:  # poles of the left half plane, or the disk, some of them next to its border
            low, high, width = (-1, 2, 0.5) if discrete else (-7, 2, 3)  # close together: sigma fall fast
            depth = np.round(2.0 ** rng.uniform(low, high, n) * 1024) / 1024
            l = -depth + 1j * np.round(rng.uniform(-width, width, n) * 64) / 64
            if discrete:
                l = np.round((1 + l / 8) / (1 - l / 8) * 2**20) / 2**20
            a = np.diag(l)
        elif discrete:
            a = a / 8
        else:
            a = a - 4 * np.eye(n)
        if not discrete:
            d[:] = 0
        assert all(abs(x) < 1 if discrete else x.real < 0 for x in np.linalg.eigvals(a))
        wc, wo = gramian(a, b, discrete), gramian(a.conj().T, c.conj().T, discrete)
        sigma = sorted((mp.sqrt(mp.re(x)) for x in mp.eig(wc * wo, left=False, right=False)), reverse=True)
        am, bm, cm, dm = (mp.matrix(x.tolist()) for x in (a, b, c, d))
        square = lambda x: mp.re(sum((x * x.H)[i, i] for i in range(x.rows)))
        trace = lambda x: mp.re(sum((x * wc * x.H)[i, i] for i in range(x.rows)))
        h2 = mp.sqrt(square(cm * bm + dm) + trace(cm * am)) if discrete else mp.sqrt(trace(cm))

        def response(w):
            z = np.exp(1j * w) if discrete else 1j * w
            return (z if discrete else 1) * c @ np.linalg.solve(z * np.eye(n) - a, b) + d

        gain = lambda w: np.linalg.norm(response(w), 2)
        poles = np.linalg.eigvals(a)
        grid = np.concatenate([np.linspace(-np.pi, np.pi, 20001) if discrete else np.linspace(-20, 20, 40001), np.angle(poles) if discrete else poles.imag])
        best = max(grid, key=gain)
        peak = scipy.optimize.minimize_scalar(lambda w: -gain(w), bounds=(best - 1e-3, best + 1e-3), method="bounded", options={"xatol": 1e-12})
        omega = np.array([0.0, -0.7, 2.5])
        f.write(f"{discrete} {diagonal} {n} {m} {p}\n")
        save(f, np.diag(a) if diagonal else a, b, c, d, to_numpy(wc), to_numpy(wo))
        np.savetxt(f, [[float(s) for s in sigma]], fmt="%.17g")
        np.savetxt(f, [[float(h2), *omega]], fmt="%.17g")
        save(f, *(response(w) for w in omega))
        np.savetxt(f, [[max(-peak.fun, gain(best)), peak.x if -peak.fun > gain(best) else best]], fmt="%.17g")
    a, b, c = normal(rng, 5, 5), normal(rng, 3, 3), normal(rng, 5, 3)
    save(f, a, b, c, scipy.linalg.solve_sylvester(a, b, c))
