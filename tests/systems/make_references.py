"""References for tests/systems: python make_references.py (numpy, scipy, slycot). Writes
data/discretize.txt  per system: n m p dt, A, B, C, then Ad, Bd of scipy.signal.cont2discrete for each method below;
data/response.txt    per system: n m p, A, B, C, D, four frequencies, then scipy.signal's response of the strictly proper
                     discrete system x_{k+1} = A x_k + B u_k at each (real parts, imaginary parts);
data/zeros.txt       per system: 0 (continuous) or 1 (discrete), n m p, A, B, C, D, then SLICOT's AB08ND: how many zeros and the
                     normal rank, the zeros (real parts, imaginary parts);
data/hinf.txt        per system: 0 or 1, n m p, A, B, C, D, then the H-infinity norm of SLICOT's AB13DD, polished by a search of
                     NumPy's largest singular value around its frequency;
17 digits, row by row. Discrete systems are ours: the current input enters at once, so SLICOT gets C A and D + C B."""

import pathlib

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.signal
import slycot

folder = pathlib.Path(__file__).parent / "data"
rng = np.random.default_rng(30)
save = lambda f, *ms: [np.savetxt(f, np.atleast_2d(m), fmt="%.17g") for m in ms]

with open(folder / "discretize.txt", "w") as f:
    for n, m, p, dt in ((1, 1, 1, 0.1), (3, 2, 2, 0.05), (6, 1, 3, 0.8), (5, 2, 1, 0.01)):
        a, b, c = rng.standard_normal((n, n)), rng.standard_normal((n, m)), rng.standard_normal((p, n))
        if n == 5:
            a[:, 0] = 0  # singular: an integrator
        f.write(f"{n} {m} {p} {dt}\n")
        save(f, a, b, c)
        for method, alpha in (("zoh", None), ("bilinear", None), ("euler", None), ("backward_diff", None), ("gbt", 0.3)):
            ad, bd, *_ = scipy.signal.cont2discrete((a, b, c, np.zeros((p, m))), dt, method, alpha=alpha)
            save(f, ad, bd)

with open(folder / "response.txt", "w") as f:
    for n in (1, 4, 7):
        a, b, c, d = rng.standard_normal((n, n)), rng.standard_normal((n, 1)), rng.standard_normal((1, n)), rng.standard_normal((1, 1))
        a *= 0.9 / max(abs(np.linalg.eigvals(a)))
        w = np.array([0.0, 0.3, 1.7, 3.1])
        _, g = scipy.signal.dfreqresp((a, b, c, d * 0, 1.0), w)
        f.write(f"{n} 1 1\n")
        save(f, a, b, c, d, w, g.real, g.imag)

def system(n, m, p, discrete):
    a, b, c, d = rng.standard_normal((n, n)), rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m))
    poles = np.linalg.eigvals(a)
    return (a * 0.9 / max(abs(poles)) if discrete else a - (max(poles.real) + 0.1) * np.eye(n)), b, c, d


textbook = lambda discrete, a, b, c, d: (a, b, c @ a, d + c @ b) if discrete else (a, b, c, d)
rng = np.random.default_rng(31)
with open(folder / "zeros.txt", "w") as f:
    cases = []
    for discrete in (0, 1):
        for n, m, p in ((1, 1, 1), (5, 1, 1), (6, 2, 2), (7, 3, 3), (12, 2, 2)):
            a, b, c, d = system(n, m, p, discrete)
            cases += [(discrete, a, b, c, d), (discrete, a, b, c, 0 * d)]
        a, b, c, d = system(6, 2, 2, discrete)
        cases.append((discrete, a, b, c, np.outer(d[:, 0], d[0])))  # D of rank one
        cases.append((discrete, a, b, rng.standard_normal((4, 2)) @ c, np.zeros((4, 2))))  # outputs repeated: rank 2 of 4
        cases.append((discrete, a, b @ rng.standard_normal((2, 3)), c, np.zeros((2, 3))))
        a, b, c, d = system(6, 2, 3, discrete)
        a[:2, 2:], a[2:, :2], b[:2] = 0, 0, 0  # two states without input
        cases.append((discrete, a, b, c, d))
        cases.append((discrete, a, 0 * b, c, 0 * d))  # nothing gets through
        cases.append((discrete, np.diag(np.linspace(-0.9, -0.1, 8)) + np.diag(np.ones(7), 1), np.eye(8)[:, 7:], np.eye(8)[:1], np.zeros((1, 1))))
    # The example of AB08ND's own documentation: its zeros are 2 and -1.
    a = np.diag([1.0, 1, 3, -4, -1, 3])
    b = np.array([[0, -1], [-1, 0], [1, -1], [0, 0], [0, 1], [-1, -1.0]])
    c = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1.0]])
    cases.append((0, a, b, c, np.zeros((3, 2))))
    for discrete, a, b, c, d in cases:
        n, m, p = a.shape[0], b.shape[1], c.shape[0]
        nu, rank, *_, af, bf = slycot.ab08nd(n, m, p, *textbook(discrete, a, b, c, d), equil="S", tol=1e-12)
        values = scipy.linalg.eig(af[:nu, :nu], bf[:nu, :nu], right=False) if nu else np.zeros(0)
        f.write(f"{discrete} {n} {m} {p}\n")
        save(f, a, b, c, d)
        f.write(f"{nu} {rank}\n")
        if nu:
            save(f, values.real, values.imag)

with open(folder / "hinf.txt", "w") as f:
    for discrete in (0, 1):
        for n, m, p in ((1, 1, 1), (4, 1, 2), (8, 3, 3), (12, 5, 4), (16, 2, 2), (16, 8, 8)):
            a, b, c, d = system(n, m, p, discrete)
            if n == 12:  # two modes of the same light damping side by side
                a = scipy.linalg.block_diag(a[:8, :8] - 5 * np.eye(8), *([[-1e-4, w], [-w, -1e-4]] for w in (1.0, 1.001)))
                a = scipy.linalg.expm(a) if discrete else a
            t = textbook(discrete, a, b, c, d)
            peak, omega = slycot.ab13dd("D" if discrete else "C", "I", "N", "D", n, m, p, t[0], np.eye(n), *t[1:], tol=1e-10)
            point = (lambda w: np.exp(1j * w)) if discrete else (lambda w: 1j * w)
            gain = lambda w: np.linalg.norm(t[2] @ np.linalg.solve(point(w) * np.eye(n) - t[0], t[1]) + t[3], 2)
            if np.isfinite(omega):
                width = 1e-6 * max(1e-3, omega)
                found = scipy.optimize.minimize_scalar(lambda w: -gain(w), bounds=(omega - width, omega + width), method="bounded", options={"xatol": 1e-16})
                print(discrete, n, peak, omega, gain(omega) / peak - 1, -found.fun / peak - 1)
                peak = max(peak, -found.fun, gain(omega))
            f.write(f"{discrete} {n} {m} {p}\n")
            save(f, a, b, c, d, peak)
