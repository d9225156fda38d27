# The small system of tests/examples/reduce.sh in every format, with what SciPy says of it:  python3 make_reduce.py  (SciPy 1.17)
# A chain of eight masses between walls, one damper each: continuous, 16 states, one force in, two positions out.
import json
import struct

import numpy as np
import scipy.io
import scipy.linalg as la
import scipy.sparse

k = 8
K = 2 * np.eye(k) - np.eye(k, k=1) - np.eye(k, k=-1)
A = np.block([[np.zeros((k, k)), np.eye(k)], [-K, -0.2 * np.eye(k) - 0.05 * K]])
B = np.zeros((2 * k, 1))
B[k] = 1
C = np.zeros((2, 2 * k))
C[0, 0] = C[1, k - 1] = 1
comment = " a chain of eight masses"
for name, m in [("A", A), ("B", B), ("C", C)]:
    scipy.io.mmwrite(f"data/chain/{name}.mtx", scipy.sparse.coo_matrix(m) if name == "A" else m, comment=comment)
scipy.io.savemat("data/chain.mat", {"A": scipy.sparse.csc_matrix(A), "B": B, "C": C, "Ts": 0.0})

P = la.solve_continuous_lyapunov(A, -B @ B.T)
Q = la.solve_continuous_lyapunov(A.T, -C.T @ C)
sigma = np.sqrt(np.sort(la.eigvals(P @ Q).real)[::-1][:6])
omega = np.linspace(0, 3, 300001)  # the peak lies at a mode, well inside
H = lambda w: np.abs(la.norm(C @ la.solve(1j * w * np.eye(2 * k) - A, B)))
w = max(np.linspace(0, 3, 3001), key=H)
w = max(np.linspace(w - 0.001, w + 0.001, 2001), key=H)
print("sigma", " ".join(f"{s:.10e}" for s in sigma))
print("hinf", f"{H(w):.8e}", "h2", f"{np.sqrt(np.trace(C @ P @ C.T)):.10e}")

# An adapter file: four states with the gate at 0.5, and a LoRA. Poles -exp(logA), steps log(1 + exp(logdt)), zero-order hold.
def adapter_file(path):
    rng = np.random.default_rng(7)
    names = ["layers.0.mlp_input.hrm", "layers.1.q.lora"]
    draw = lambda *shape: rng.standard_normal(shape).astype("<f4")
    tensors = {names[0] + ".B": draw(4, 3), names[0] + ".C": draw(3, 4), names[0] + ".gate": np.full((1, 1), 0.5, "<f4"),
               names[0] + ".logA": np.log(np.arange(1, 5)).astype("<f4")[:, None], names[0] + ".logdt": np.log(np.expm1([0.02, 0.1, 0.3, 0.05])).astype("<f4")[:, None],
               names[1] + ".lora_A": draw(2, 3), names[1] + ".lora_B": draw(3, 2)}
    options = {"discretization": "zoh", "dt_max": "0.5", "dt_min": "1e-04", "feedthrough": "none", "gate": "scalar", "gate_start": "0",
               "largest_phase": "0.3", "learn_initial_state": "no", "longest_memory": "1024", "normalization": "none", "poles": "real_positive",
               "reset_every": "0", "scale": "1", "start": "published", "states": "4", "static_states": "0", "theta": "0.5"}
    record = lambda name, layer, site, kind, o: {"name": name, "layer": layer, "site": site, "kind": kind, "inputs": 3, "outputs": 3, "options": o}
    listed = [record(names[0], 0, "mlp_input", "hrm", options), record(names[1], 1, "q", "lora", {"alpha": "4", "dropout": "0", "rank": "2", "seed": "0"})]
    head, at = {"__metadata__": {"adapters": json.dumps(listed), "format": "pt"}}, 0
    for name, t in tensors.items():
        head[name] = {"dtype": "F32", "shape": t.shape, "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(t.tobytes() for t in tensors.values()))
    B, C, logA, logdt = (tensors[f"{names[0]}.{x}"].astype(float) for x in ("B", "C", "logA", "logdt"))
    a, dt = -np.exp(logA[:, 0]), np.log1p(np.exp(logdt[:, 0]))
    A, B = np.diag(np.exp(a * dt)), (np.expm1(a * dt) / a)[:, None] * B
    P, Q = la.solve_discrete_lyapunov(A, B @ B.T), la.solve_discrete_lyapunov(A.T, C.T @ C)
    return np.sqrt(np.sort(la.eigvals(P @ Q).real)[::-1]), max(la.norm(C @ la.solve(np.eye(4) - A / z, B), 2) for z in np.exp(1j * np.linspace(0, np.pi, 2001)))


sigma, gain = adapter_file("data/adapters.safetensors")
print("adapter: sigma", " ".join(f"{s:.10e}" for s in sigma), f"gain with the gate {0.5 * gain:.8e}")
