"""References for tests/reduction/low_rank.cpp: python make_low_rank_references.py (numpy, scipy, pymor). Writes
data/low_rank.txt: per system: name, k (grid points a side, n = k^2), how many values, the leading Hankel singular values that
pyMOR's low-rank ADI and balanced truncation give, both residuals below 1e-12. The systems are those of the test:
    heat        the five-point Laplacian times (k + 1)^2, zero around; B: 1 on the first quarter of the columns of the grid,
                scaled by 1/k; C: the mean over the last quarter of its rows and over everything
    convection  the same with a wind: -40 d/dx - 20 d/dy by upwind differences
    mass        heat with E = I + L/12/(k + 1)^2, a mass matrix"""

import pathlib
import sys
import time

import numpy as np
import scipy.sparse as sps
from pymor.models.iosys import LTIModel
from pymor.solvers.matrix_equations.adi import ADILyapunovSolver
from pymor.solvers.matrix_equations.default import MatrixEquationSolvers


def system(name, k):
    h, one = 1 / (k + 1), sps.identity(k)
    second = sps.diags([1, -2, 1], [-1, 0, 1], shape=(k, k)) / h**2
    back = sps.diags([-1, 1], [-1, 0], shape=(k, k)) / h  # (x_i - x_{i-1})/h
    laplace = sps.kron(one, second) + sps.kron(second, one)  # grid point (row i, column j) is state i k + j
    a, e = laplace, None
    if name == "convection":
        a = laplace - 40 * sps.kron(one, back) - 20 * sps.kron(back, one)
    if name == "mass":
        e = (sps.identity(k * k) + laplace * (h**2 / 12)).tocsc()
    i, j = np.divmod(np.arange(k * k), k)
    b = (np.where(j < k // 4, 1.0, 0.0) / k)[:, None]
    c = np.stack([np.where(i >= k - k // 4, 1.0, 0.0) / (k * (k // 4)), np.full(k * k, 1 / k**2)])
    return a.tocsc(), b, c, e


if __name__ == "__main__":
    with open(pathlib.Path(__file__).parent / "data" / "low_rank.txt", "w") as f:
        for name, k in (("heat", 20), ("convection", 20), ("mass", 20), ("heat", 50), ("convection", 50), ("heat", 200)):
            a, b, c, e = system(name, k)
            m = LTIModel.from_matrices(a, b, c, E=e, matrix_equation_solvers=MatrixEquationSolvers(lyapunov_lr=ADILyapunovSolver(adi_tol=1e-12)))
            start = time.time()
            lc, lo = m.gramian("c_lr").to_numpy(), m.gramian("o_lr").to_numpy()
            lc, lo = (x if x.shape[0] == k * k else x.T for x in (lc, lo))
            sigma = np.linalg.svd(lo.T @ ((e @ lc) if e is not None else lc), compute_uv=False)
            print(name, k, f"{time.time() - start:.2f} s", lc.shape, lo.shape, sigma[:12] / sigma[0], file=sys.stderr)
            keep = sigma[: min(12, int((sigma > 1e-7 * sigma[0]).sum()))]
            f.write(f"{name} {k} {len(keep)}\n" + " ".join(f"{x:.17g}" for x in keep) + "\n")
