"""More references for complex systems: python make_complex_operations.py (numpy, scipy). Writes data/complex_operations.txt, numbers as
pairs re im, row by row, 17 digits; for a continuous and a discrete (the current input enters at once) dense system of order 5, 2 x 2:
A, B, C, D;  the zeros of G with D and with D = 0, by SciPy's generalised eigenvalues of the pencil;  the Gramian over 0.3 <= |omega| <= 2, by
quadrature;  that over a horizon of 1.5, by quadrature, or of 7 steps, summed;  a filter's A, B, C, D and the Gramian behind it, by quadrature;
the cross Gramian, by SciPy's solve_sylvester or summed.  Of the continuous one also SciPy's exponential of [hA hB; 0 0], h = 0.25, and
(I - theta h A)^-1 [I + (1 - theta) h A, h B], theta = 0.3, by NumPy."""

import pathlib

import numpy as np
import scipy.integrate
import scipy.linalg

from complex_text import normal, save

rng = np.random.default_rng(11)
n, m = 5, 2


def quadrature(function, *between):
    value, error = 0, 0
    for low, high in zip(between[::2], between[1::2]):
        v, e = scipy.integrate.quad_vec(function, low, high, epsabs=1e-13, epsrel=1e-13, limit=10000)
        value, error = value + v, error + e
    assert error < 1e-10 * np.abs(value).max()
    return value


with open(pathlib.Path(__file__).parent / "data" / "complex_operations.txt", "w") as f:
    for discrete in (False, True):
        a, b, c, d = normal(rng, n, n), normal(rng, n, m), normal(rng, m, n), normal(rng, m, m)
        a = a / 8 if discrete else a - 3 * np.eye(n)
        aw = np.array([[0.5 + 0.25j, 0.25], [0, -0.5j]]) if discrete else np.array([[-1 + 2j, 0.5], [0, -2 - 1j]])
        bw, cw, dw = normal(rng, 2, 1), normal(rng, m, 2), normal(rng, m, 1)
        eye = np.eye(n)

        def zeros(feedthrough):
            # The textbook form:  z C (zI - A)^-1 B = C A (zI - A)^-1 B + C B.
            ct, dt = (c @ a, feedthrough + c @ b) if discrete else (c, feedthrough)
            pencil = np.block([[a, b], [ct, dt]])
            l = scipy.linalg.eigvals(pencil, scipy.linalg.block_diag(eye, np.zeros((m, m))))
            return l[np.abs(l) < 1e6]

        def states(w):  # from the input to the states
            return np.linalg.inv(eye - a * np.exp(-1j * w) if discrete else 1j * w * eye - a)

        def weight(w):
            z = np.exp(1j * w) if discrete else 1j * w
            return (z if discrete else 1) * cw @ np.linalg.solve(z * np.eye(2) - aw, bw) + dw

        square = lambda x: x @ x.conj().T
        power = lambda w: square(states(w) @ b) / (2 * np.pi)
        behind = lambda w: square(states(w) @ b @ weight(w)) / (2 * np.pi)
        band = quadrature(power, -2, -0.3, 0.3, 2)
        if discrete:
            horizon = sum(square(np.linalg.matrix_power(a, k) @ b) for k in range(7))
            weighted = quadrature(behind, -np.pi, np.pi)
            cross = sum(np.linalg.matrix_power(a, k) @ b @ c @ np.linalg.matrix_power(a, k) for k in range(400))
        else:
            horizon = quadrature(lambda t: square(scipy.linalg.expm(a * t) @ b), 0, 1.5)
            weighted = quadrature(behind, -np.inf, np.inf)
            cross = scipy.linalg.solve_sylvester(a, a, -b @ c)
        save(f, a, b, c, d)
        for l in (zeros(d), zeros(0 * d)):
            f.write(f"{len(l)}\n")
            save(f, l)
        save(f, band, horizon, aw, bw, cw, dw, weighted, cross)
        if not discrete:
            h, theta = 0.25, 0.3
            save(f, scipy.linalg.expm(np.block([[h * a, h * b], [np.zeros((m, n + m))]]))[:n])
            save(f, np.linalg.solve(eye - theta * h * a, np.hstack([eye + (1 - theta) * h * a, h * b])))
