#!/usr/bin/env python3
"""Makes data/weighted.txt: systems with weights on both sides, and what SLICOT's AB09ID makes of them: Gramians as Enns (alpha = 0)
and as Lin & Chiu (alpha = 1) take them.

A system: C or D, n m p nv nw r;  A, B, C;  the output weight V (A, B, C, D);  the input weight W;  then for Enns and for Lin & Chiu:
all weighted Hankel singular values, the reduced spectral abscissa or radius, and C (xI - A)^-1 B of the reduced model at four
points x of the boundary, Re Im. Discrete weights are x' = A x + B u, y = C x + D u here, as SLICOT has them.
python3 make_weighted.py    (numpy, libslicot as Debian has it)
"""
import ctypes
import pathlib

import numpy as np

slicot = ctypes.CDLL("libslicot.so.0")
rng = np.random.default_rng(11)
angles = np.array([0.05, 0.6, 1.9, 3.0])


def ab09id(time, r, alpha, g, v, w):
    a, b, c = (np.asfortranarray(x.copy()) for x in g)
    n, m, p = len(a), b.shape[1], c.shape[0]
    d = np.zeros((p, m), order="F")
    v, w = ([np.asfortranarray(x.copy()) for x in f] for f in (v, w))
    nv, nw = len(v[0]), len(w[0])
    hsv, nr, ns, warn, info = np.zeros(n), ctypes.c_int(r), ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    work, iwork = np.zeros(100000), np.zeros(10000, dtype=np.int32)
    number = lambda x: ctypes.byref(ctypes.c_int(x))
    real = lambda x: ctypes.byref(ctypes.c_double(x))
    array = lambda x: (x.ctypes.data_as(ctypes.c_void_p), number(max(1, x.shape[0])))
    slicot.ab09id_(time, b"S", b"S", b"B", b"B", b"N", b"F", number(n), number(m), number(p), number(nv), number(v[2].shape[0]), number(nw),
                   number(w[1].shape[1]), ctypes.byref(nr), real(0.0 if time == b"C" else 1.0), real(alpha), real(alpha), *array(a), *array(b), *array(c),
                   *array(d), *(y for x in v + w for y in array(x)), ctypes.byref(ns), hsv.ctypes.data_as(ctypes.c_void_p), real(0.0), real(0.0),
                   iwork.ctypes.data_as(ctypes.c_void_p), work.ctypes.data_as(ctypes.c_void_p), number(len(work)), ctypes.byref(warn), ctypes.byref(info),
                   *[ctypes.c_size_t(1)] * 7)
    assert info.value == 0 and nr.value == r, (info.value, nr.value, warn.value)
    return hsv, a[:r, :r], b[:r], c[:, :r]


def stable(n, time):
    a = rng.standard_normal((n, n))
    l = np.linalg.eigvals(a)
    return a - (max(l.real) + rng.uniform(0.05, 0.5)) * np.eye(n) if time == b"C" else a * rng.uniform(0.5, 0.95) / max(abs(l))


def weight(n, inputs, outputs, time):
    return [stable(n, time), rng.standard_normal((n, inputs)), rng.standard_normal((outputs, n)), rng.standard_normal((outputs, inputs))]


def draw(time, n, m, p, nv, nw, r):
    g = stable(n, time), rng.standard_normal((n, m)), rng.standard_normal((p, n))
    v, w = weight(nv, p, p, time), weight(nw, m, m, time)
    return g, v, w, [ab09id(time, r, alpha, g, v, w) for alpha in (0.0, 1.0)]


def edge(time, a):
    l = np.linalg.eigvals(a)
    return max(l.real) if time == b"C" else max(abs(l))


with open(pathlib.Path(__file__).parent / "data" / "weighted.txt", "w") as out:
    for time, n, m, p, nv, nw, r, bad in [(b"C", 6, 2, 3, 3, 2, 3, False), (b"D", 6, 2, 3, 3, 2, 3, False), (b"C", 8, 1, 1, 2, 4, 3, True), (b"D", 8, 1, 1, 4, 2, 3, True)]:
        while True:  # bad: drawn until Enns' reduced model is unstable
            g, v, w, found = draw(time, n, m, p, nv, nw, r)
            if not bad or edge(time, found[0][1]) > (0 if time == b"C" else 1):
                break
        print(time, n, [edge(time, f[1]) for f in found], found[1][0])
        out.write(f"{time.decode()} {n} {m} {p} {nv} {nw} {r}\n")
        blocks = [*g, *v, *w]
        for hsv, a, b, c in found:
            points = 1j * angles if time == b"C" else np.exp(1j * angles)
            h = np.array([c @ np.linalg.solve(x * np.eye(r) - a, b) for x in points])
            blocks += [hsv, [edge(time, a)], np.stack([h.real, h.imag], -1)]
        for x in blocks:
            out.write(" ".join(f"{y:.17g}" for y in np.ravel(x)) + "\n")
