"""Makes data/complex_low_rank.txt: sparse complex systems E x' = A x + B u, or E s_t = A s_{t-1} + B u_t, and their leading Hankel singular
values as SciPy computes them from the dense form, sqrt(eig(PQ)): those above 1e-5 of the first, which eps sigma_1^2/sigma leaves to 1e-10.
python3 make_complex_low_rank.py    (numpy, scipy)

Per system: 1 if discrete, name, k, how many values; the values. With heat, convection and mass of make_low_rank_references.py, n = k^2,
every B times exp(0.1i s) and every C times exp(-0.07i s) in its state s:
    ray     heat's A times 1 + 0.7i: a diffusion whose phase turns, all poles on one ray;    discrete: I + (1 + 0.5i) L/10
    wind    convection's A times 1 + 0.7i
    mass    ray with mass's E times 1 + 0.1i;    discrete: that E, A = E + (1 + 0.5i) L/20
and of order k, each state hearing 0.02 + 0.01i of its neighbour, B: 1/(s + 1) and exp(1i s), C: 1:
    modes   poles (-0.05 + 1i) (1 + 0.7 s), without their conjugates;    discrete: 0.97 (1 - 0.3 s/k) exp(1i (s + 1) 3/k)"""

import pathlib

import numpy as np
import scipy.linalg as la

from make_low_rank_references import system


def complex_system(discrete, name, k):
    if name == "modes":
        s = np.arange(k)
        poles = 0.97 * (1 - 0.3 * s / k) * np.exp(1j * (s + 1) * 3 / k) if discrete else (-0.05 + 1j) * (1 + 0.7 * s)
        a = np.diag(poles) + np.diag(np.full(k - 1, 0.02 + 0.01j), -1)
        return a, np.stack([1 / (s + 1), np.exp(1j * s)], 1), np.ones((1, k)), None
    a, b, c, e = system({"ray": "heat", "wind": "convection"}.get(name, name), k)
    a, s = a.toarray(), np.arange(k * k)
    e = None if e is None else e.toarray() * (1 + 0.1j)
    if discrete:
        laplace = a / (k + 1) ** 2
        a = np.eye(k * k) + (1 + 0.5j) * laplace / 10 if e is None else e + (1 + 0.5j) * laplace / 20
    else:
        a = (1 + 0.7j) * a
    return a, b * np.exp(0.1j * s)[:, None], c * np.exp(-0.07j * s), e


if __name__ == "__main__":
    with open(pathlib.Path(__file__).parent / "data" / "complex_low_rank.txt", "w") as f:
        for discrete, name, k in ((0, "ray", 14), (0, "wind", 14), (0, "mass", 14), (0, "modes", 60), (1, "ray", 14), (1, "mass", 14), (1, "modes", 60)):
            a, b, c, e = complex_system(discrete, name, k)
            if e is not None:
                a, b = np.linalg.solve(e, a), np.linalg.solve(e, b)
            poles, lyapunov = np.linalg.eigvals(a), la.solve_discrete_lyapunov if discrete else la.solve_continuous_lyapunov
            assert (max(abs(poles)) < 1) if discrete else (max(poles.real) < 0)
            sign = 1 if discrete else -1
            p, q = lyapunov(a, sign * b @ b.conj().T), lyapunov(a.conj().T, sign * c.conj().T @ c)
            sigma = np.sqrt(np.sort(abs(la.eigvals(p @ q)))[::-1])
            keep = sigma[: min(14, int((sigma > 1e-5 * sigma[0]).sum()))]
            print(discrete, name, len(a), keep / keep[0])
            f.write(f"{discrete} {name} {k} {len(keep)}\n" + " ".join(f"{x:.17g}" for x in keep) + "\n")
