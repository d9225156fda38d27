# Matrix Market files as SciPy writes them, for tests/io/matrix_market.cpp:  python3 make_matrix_market.py  (SciPy 1.17)
import numpy as np
import scipy.io
import scipy.sparse

i, j = np.indices((4, 4))
full = np.exp(i - 3.0 * j) / 3
symmetric = full + full.T
skew = full - full.T
for name, m in [("general", full[:, :3]), ("symmetric", symmetric), ("skew", skew)]:
    scipy.io.mmwrite(f"market_{name}_array.mtx", m, comment="dense", precision=17, symmetry="skew-symmetric" if name == "skew" else name)
    sparse = scipy.sparse.coo_matrix(np.where(abs(m) > 0.01, m, 0))
    scipy.io.mmwrite(f"market_{name}_coordinate.mtx", sparse, comment="sparse", precision=17, symmetry="skew-symmetric" if name == "skew" else name)
