#!/usr/bin/env python3
"""Makes data/projections.txt: continuous systems, and what pyMOR's balanced truncation makes of them in its three bases.

A system: n m p r;  A, B, C;  three frequencies;  at each the response of the reduced model, Re Im of every entry;  and the
lengths |t|_F |w|_F with w^T t = I: sr, bfsr, and of biorth sum_j |t_j| |w_j|, which no scaling of its columns changes.
python3 make_projections.py    (numpy, scipy, pymor)
"""
import logging
import pathlib

import numpy as np
from pymor.core.logger import set_log_levels
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import BTReductor

logging.disable(logging.WARNING)
set_log_levels({"pymor": "ERROR"})
rng = np.random.default_rng(3)
omega = np.array([0.0, 0.7, 5.0])


def systems():
    for n, m, p, r in [(8, 1, 1, 4), (14, 2, 3, 6)]:
        a = rng.standard_normal((n, n))
        a -= (max(np.linalg.eigvals(a).real) + 0.3) * np.eye(n)
        unit = 10.0 ** rng.uniform(-2, 2, n)  # states in units of their own: the columns of t and w get long
        yield a * unit[:, None] / unit, rng.standard_normal((n, m)) * unit[:, None], rng.standard_normal((p, n)) / unit, r
    n = 20  # a heated rod
    a = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    yield 10 * a, np.eye(n)[:, [6]], np.eye(n)[[13]], 5


with open(pathlib.Path(__file__).parent / "data" / "projections.txt", "w") as out:
    for a, b, c, r in systems():
        reductor = BTReductor(LTIModel.from_matrices(a, b, c))
        responses, lengths = [], []
        for kind in ("sr", "bfsr", "biorth"):
            rom = reductor.reduce(r, projection=kind)
            responses.append(np.array([rom.transfer_function.eval_tf(1j * w) for w in omega]).reshape(len(omega), -1))
            t, w = (x.to_numpy() for x in (reductor.V, reductor.W))
            t, w = (x if x.shape[0] == len(a) else x.T for x in (t, w))
            if kind == "bfsr":
                w = w @ np.linalg.inv(t.T @ w)
            assert abs(w.T @ t - np.eye(r)).max() < 1e-9
            lengths.append(np.linalg.norm(t) * np.linalg.norm(w) if kind != "biorth" else
                           (np.linalg.norm(t, axis=0) * np.linalg.norm(w, axis=0)).sum())
        for other in responses[1:]:
            assert abs(other - responses[0]).max() < 1e-9 * abs(responses[0]).max()
        print(len(a), r, lengths)
        out.write(f"{len(a)} {b.shape[1]} {c.shape[0]} {r}\n")
        for block in (a, b, c, omega, np.stack([responses[0].real, responses[0].imag], 2).reshape(3, -1), lengths):
            out.write(" ".join(f"{x:.17g}" for x in np.ravel(block)) + "\n")
