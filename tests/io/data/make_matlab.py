# MATLAB files as SciPy and hdf5storage write them, for tests/io/matlab.cpp:  python3 make_matlab.py  (SciPy 1.17, hdf5storage 0.2)
import hdf5storage
import numpy as np
import scipy.io
import scipy.sparse

i, j = np.indices((3, 4))
full = (3 * i - 5 * j + 1) / 8.0
what = {"full": full, "complex": full * 1j, "text": "text"}
scipy.io.savemat("matlab_4.mat", what, format="4")
what |= {"sparse": scipy.sparse.csc_matrix(np.where((i + j) % 2, 0, full)), "single": full.astype(np.float32), "whole": np.array([[-7, 1], [2, 3]], np.int16),
         "long": np.array([[-7, 1], [2, 3]], np.int64), "unsigned": np.array([[2**53, 1], [2, 3]], np.uint64)}  # numpy's integers are long
scipy.io.savemat("matlab_5.mat", what)
scipy.io.savemat("matlab_5_compressed.mat", what, do_compression=True)
cells = np.array([[1.0, "a"]], dtype=object)
hdf5storage.savemat("matlab_7_hdf5storage.mat", {"full": full, "complex": full * 1j, "single": full.astype(np.float32), "whole": what["whole"], "long": what["long"],
                    "cells": cells}, store_python_metadata=False)
