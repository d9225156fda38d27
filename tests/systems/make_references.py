"""References for tests/systems: python make_references.py (numpy, scipy). Writes
data/discretize.txt  per system: n m p dt, A, B, C, then Ad, Bd of scipy.signal.cont2discrete for each method below;
data/response.txt    per system: n m p, A, B, C, D, four frequencies, then scipy.signal's response of the strictly proper
                     discrete system x_{k+1} = A x_k + B u_k at each (real parts, imaginary parts);
17 digits, row by row."""

import pathlib

import numpy as np
import scipy.signal

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
