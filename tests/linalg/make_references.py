"""References for tests/linalg: python make_references.py (numpy, scipy). Writes data/*.txt, one equation each:
n m on the first line, then A (n x n), B (n x m) and the X that SciPy finds, row by row, 17 digits;
expm.txt: n, A and scipy.linalg.expm(A), four times;
sylvester.txt: n m, A (n x n), B (m x m), C (n x m), then X of A X + X B = C by scipy.linalg.solve_sylvester and Z of
A Z B - Z = C from the n m x n m system of its entries, four times."""

import pathlib

import numpy as np
import scipy.linalg

folder = pathlib.Path(__file__).parent / "data"
rng = np.random.default_rng(20)


def write(name, a, b, x):
    with open(folder / name, "w") as f:
        f.write(f"{a.shape[0]} {b.shape[1]}\n")
        for m in (a, b, x):
            np.savetxt(f, m, fmt="%.17g")


for n, m, radius in ((1, 1, 0.5), (4, 2, 0.9), (9, 1, 0.999), (12, 5, 0.7)):
    a = rng.standard_normal((n, n))
    a *= radius / max(abs(np.linalg.eigvals(a)))
    b = rng.standard_normal((n, m))
    write(f"stein_{n}.txt", a, b, scipy.linalg.solve_discrete_lyapunov(a, b @ b.T, method="direct"))
    c = a - np.eye(n) * (max(np.linalg.eigvals(a).real) + 0.05)
    write(f"lyapunov_{n}.txt", c, b, scipy.linalg.solve_continuous_lyapunov(c, -b @ b.T))

with open(folder / "expm.txt", "w") as f:
    for n, scale in ((1, 3.0), (4, 0.01), (6, 1.0), (8, 20.0)):
        a = rng.standard_normal((n, n)) * scale
        f.write(f"{n}\n")
        for m in (a, scipy.linalg.expm(a)):
            np.savetxt(f, m, fmt="%.17g")

with open(folder / "sylvester.txt", "w") as f:
    for n, m in ((1, 1), (3, 5), (8, 2), (9, 7)):
        a, b, c = (rng.standard_normal(shape) for shape in ((n, n), (m, m), (n, m)))
        z = np.linalg.solve(np.kron(a, b.T) - np.eye(n * m), c.ravel()).reshape(n, m)
        f.write(f"{n} {m}\n")
        for x in (a, b, c, scipy.linalg.solve_sylvester(a, b, c), z):
            np.savetxt(f, x, fmt="%.17g")
