"""Random complex matrices, and how the references for complex systems are written: pairs re im, row by row, 17 digits."""

import numpy as np


def normal(rng, *shape):  # of few bits, so that text is exact
    return np.round((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * 64) / 64


def save(f, *ms):
    for x in ms:
        x = np.atleast_2d(np.asarray(x, dtype=complex))
        np.savetxt(f, np.stack([x.real, x.imag], -1).reshape(len(x), -1), fmt="%.17g")
