"""Hankel singular values and reduced models: ours beside SciPy, SLICOT (slycot), python-control, pyMOR and emgr's formulas, on the same
systems, with references of 34 digits as judge. Prints a Markdown page, docs/results/reduction.md.

    pip install numpy scipy mpmath pymor control slycot
    HRM_MOR_DATA=FOLDER python3 bench/peers/reduction_agreement.py build/examples/reduce build/era > docs/results/reduction.md

FOLDER holds build, pde, CDplayer, random, heat-cont, fom with A.mtx, B.mtx, C.mtx and hsv_34digits.csv, and rom_errors.csv. Two more systems
are made here, and judged by mpmath at 120 digits. build/era is bench/peers/era.cpp, whose head says how to compile it. All norms of errors are measured alike, by SLICOT's AB13DD on G - Gr.
"""
import csv, importlib.metadata, json, logging, os, pathlib, platform, subprocess, sys, tempfile, warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import mpmath, numpy as np, scipy.io, scipy.linalg as la, scipy.sparse
import control, slycot
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
from pymor.core.logger import set_log_levels
set_log_levels({"pymor": "ERROR"})
from pymor.models.iosys import LTIModel
from pymor.reductors.bt import BTReductor
from pymor.reductors.era import ERAReductor

LEADING = 10  # how many values and which order are compared
reduce_program, era_program = sys.argv[1:3]
data = pathlib.Path(os.environ["HRM_MOR_DATA"])
dense = lambda x: np.asarray(x.todense() if scipy.sparse.issparse(x) else x, dtype=float)


class System:
    def __init__(self, name, a, b, c, discrete, truth):
        self.name, self.a, self.b, self.c, self.discrete, self.truth = name, a, b, c, discrete, truth
        self.n, self.m, self.p = len(a), b.shape[1], c.shape[0]
        self.dico = "D" if discrete else "C"


def from_folder(name):
    a, b, c = (dense(scipy.io.mmread(data / name / f"{x}.mtx")) for x in "ABC")
    truth = [float(x) for x in (data / name / "hsv_34digits.csv").read_text().split()]
    return System(name, a, b, c, False, np.array(truth))


def judged(name, poles, b, c, discrete):
    """A system of given poles (each also as its conjugate where complex), with its values from mpmath."""
    mpmath.mp.dps = 120
    n = sum(1 if l.imag == 0 else 2 for l in poles)
    a = np.zeros((n, n))
    lam, rows, cols, at = [], [], [], 0
    for l in poles:
        if l.imag == 0:
            a[at, at] = l.real
            lam, rows, cols = lam + [mpmath.mpf(l.real)], rows + [mpmath.mpf(b[at])], cols + [mpmath.mpf(c[at])]
            at += 1
            continue
        a[at:at + 2, at:at + 2] = [[l.real, -l.imag], [l.imag, l.real]]
        # z = x1 + i s x2 obeys z' = (re + i s im) z + (b1 + i s b2) u, and x1 = (z + conj z)/2, x2 = (z - conj z)/(2 i s).
        for t in (1, -1):
            lam.append(mpmath.mpc(l.real, t * l.imag))
            rows.append(mpmath.mpc(b[at], t * b[at + 1]))
            cols.append(mpmath.mpc(c[at], -t * c[at + 1]) / 2)
        at += 2
    weight = (lambda x, y: 1 - x * mpmath.conj(y)) if discrete else (lambda x, y: -x - mpmath.conj(y))
    p = mpmath.matrix(n, n)
    q = mpmath.matrix(n, n)
    for i in range(n):
        for j in range(n):
            p[i, j] = rows[i] * mpmath.conj(rows[j]) / weight(lam[i], lam[j])
            q[i, j] = mpmath.conj(cols[i]) * cols[j] / weight(mpmath.conj(lam[i]), mpmath.conj(lam[j]))
    values = mpmath.eig(p * q, left=False, right=False)
    truth = sorted((float(mpmath.sqrt(abs(x))) for x in values), reverse=True)
    return System(name, a, np.array(b)[:, None], np.array(c)[None, :], discrete, np.array(truth))


def generated():
    rng = np.random.default_rng(1)
    poles = -np.logspace(-2, 4, 30)
    yield judged("decay", [complex(x) for x in poles], rng.standard_normal(30), rng.standard_normal(30), False)
    ring = [r * np.exp(1j * t) for r, t in zip(1 - np.logspace(-3, -0.5, 12), np.linspace(0.1, 3.0, 12))]
    yield judged("rings", ring, rng.standard_normal(24), rng.standard_normal(24), True)


def ours(s, order):
    with tempfile.TemporaryDirectory() as work:
        for letter, m in zip("ABC", (s.a, s.b, s.c)):
            scipy.io.mmwrite(f"{work}/{letter}.mtx", scipy.sparse.coo_matrix(m) if letter == "A" else m, precision=17)
        subprocess.run([reduce_program, work, "--discrete" if s.discrete else "--continuous", "--rank", str(order), "--measure",
                        "always" if s.n < 500 else "auto", "--json", f"{work}/out.json", "--out", f"{work}/out"], check=True, stdout=subprocess.DEVNULL)
        said = json.load(open(f"{work}/out.json"))
        return said, tuple(dense(scipy.io.mmread(f"{work}/out/{x}.mtx")) for x in "ABC")


def error_norm(s, small):
    """|G - Gr|_inf by AB13DD, never scaled; nothing for the largest system, where it takes minutes."""
    if small is None or s.n > 500:
        return None
    a, b, c = small
    A = la.block_diag(s.a, a)
    n = len(A)
    gain, _ = slycot.ab13dd(s.dico, "I", "N", "Z", n, s.m, s.p, A, np.eye(n), np.vstack([s.b, b]), np.hstack([s.c, -c]), np.zeros((s.p, s.m)), 1e-9)
    return float(gain)


def gain_at(s, small, omega):
    """The largest singular value of G - Gr at a frequency, the solves in 50 digits."""
    mpmath.mp.dps = 50
    at = mpmath.expjpi(omega / mpmath.pi) if s.discrete else mpmath.mpc(0, omega)
    h = lambda a, b, c: mpmath.matrix(c.tolist()) * mpmath.lu_solve(at * mpmath.eye(len(a)) - mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())) if b.shape[1] == 1 else \
        mpmath.matrix(c.tolist()) * mpmath.inverse(at * mpmath.eye(len(a)) - mpmath.matrix(a.tolist())) * mpmath.matrix(b.tolist())
    e = h(s.a, s.b, s.c) - h(*small)
    return float(la.norm(np.array([[complex(e[i, j]) for j in range(s.m)] for i in range(s.p)]), 2))


def gramians(s):
    if s.discrete:
        return la.solve_discrete_lyapunov(s.a, s.b @ s.b.T), la.solve_discrete_lyapunov(s.a.T, s.c.T @ s.c)
    return la.solve_continuous_lyapunov(s.a, -s.b @ s.b.T), la.solve_continuous_lyapunov(s.a.T, -s.c.T @ s.c)


def of_product(p, q):
    return np.sqrt(np.sort(np.abs(la.eigvals(p @ q)))[::-1])


def by_scipy(s, order):
    return of_product(*gramians(s)), None


def by_slicot(s, order):
    _, a, b, c, sigma = slycot.ab09ad(s.dico, "B", "N", s.n, s.m, s.p, s.a, s.b, s.c, nr=order, tol=0.0)
    return sigma, (a[:order, :order], b[:order], c[:, :order])


def by_control(s, order):
    g = control.ss(s.a, s.b, s.c, np.zeros((s.p, s.m)), *([1.0] if s.discrete else []))
    sigma = np.abs(control.hsvd(g))
    r = control.balred(g, order)
    return sigma, (r.A, r.B, r.C)


def by_pymor(s, order):
    fom = LTIModel.from_matrices(s.a, s.b, s.c, sampling_time=1 if s.discrete else 0)
    sigma = fom.hsv()
    rom = BTReductor(fom).reduce(order)
    a, b, c, _, e = rom.to_matrices()
    if e is not None:  # balancing-free: the reduced E is not the identity
        a, b = la.solve(dense(e), dense(a)), la.solve(dense(e), dense(b))
    return sigma, (dense(a), dense(b), dense(c))


def impulses(s):
    """emgr's data: the states after an impulse in each input, the outputs from each unit state; times and weights of the integral.
    Simpson's rule on panels that double, with steps that resolve what still rings; discrete systems step by step."""
    l = la.eigvals(s.a)
    if s.discrete:
        steps = int(np.ceil(np.log(1e-17) / np.log(abs(l).max())))
        x, y = s.b.copy(), s.c.T.copy()
        for _ in range(steps):
            yield 1.0, x, y
            x, y = s.a @ x, s.a.T @ y
        return
    end, at, length, panels = np.log(1e17) / -l.real.max() / 2, 0.0, 0.1 / abs(l).max(), []
    while at < end:
        alive = abs(l[l.real * at > np.log(1e-10)])
        panels.append((length, 2 * max(4, int(np.ceil(length * alive.max() / 0.1)))))
        at, length = at + length, max(length, at)
    total = sum(steps for _, steps in panels)
    if total * s.n**2 > 2e10:
        raise RuntimeError(f"not run: its integral takes {total:.0e} steps, each with {s.n} x {s.n} products")
    x, y = s.b.copy(), s.c.T.copy()
    for length, steps in panels:
        h = length / steps
        move = la.expm(s.a * h)
        for k in range(steps + 1):
            yield h / 3 * (1 if k in (0, steps) else 4 if k % 2 else 2), x, y
            if k < steps:
                x, y = move @ x, move.T @ y


def by_emgr(s, order):
    by_emgr.cross = None
    wc, wo = np.zeros((s.n, s.n)), np.zeros((s.n, s.n))
    wx = np.zeros((s.n, s.n))
    for w, x, y in impulses(s):
        wc += w * (x @ x.T)
        wo += w * (y @ y.T)
        if s.m == s.p:
            wx += w * (x @ y.T)
    by_emgr.cross = np.sort(np.abs(la.eigvals(wx)))[::-1] if s.m == s.p else None
    return of_product(wc, wo), None


def by_cross(s, order):
    if by_emgr.cross is None:
        raise RuntimeError("not run, as above")
    return by_emgr.cross, None


def heat_values(count, rank=80):
    """heat-cont's leading values in 60 digits, from the closed form of its modes: A = k tridiag(1, -2, 1) with the file's k as a double, poles
    -4 k sin^2(h pi/402), vectors sin(i h pi/201). P_ij = b_i b_j/(-l_i - l_j) is factored by pivoted elimination of Cauchy matrices."""
    mpmath.mp.dps = 60
    n, k, where = 200, mpmath.mpf(404.01), {"b": 67, "c": 133}
    poles = [-4 * k * mpmath.sin(h * mpmath.pi / (2 * n + 2)) ** 2 for h in range(1, n + 1)]
    def factor(at):
        g = [mpmath.sqrt(mpmath.mpf(2) / (n + 1)) * mpmath.sin(at * h * mpmath.pi / (n + 1)) for h in range(1, n + 1)]
        columns = []
        for _ in range(rank):
            p = max(range(n), key=lambda i: g[i] ** 2 / -poles[i])
            root = mpmath.sqrt(g[p] ** 2 / (-2 * poles[p]))
            columns.append([g[i] * g[p] / (-poles[i] - poles[p]) / root for i in range(n)])
            g = [g[i] * (poles[i] - poles[p]) / (poles[i] + poles[p]) for i in range(n)]
        return columns
    lc, lo = factor(where["b"]), factor(where["c"])
    core = mpmath.matrix(rank, rank)
    for i in range(rank):
        for j in range(rank):
            core[i, j] = mpmath.fdot(lo[i], lc[j])
    return [x for x in mpmath.svd_r(core, compute_uv=False)][:count]


def heat_section(s):
    """Why sigma_11 of heat-cont has another tenth digit in each program."""
    print("\n## heat-cont's sigma_11\n")
    values = heat_values(12)
    text = (data / "heat-cont" / "hsv_34digits.csv").read_text().split()
    apart = max(abs(v / mpmath.mpf(x) - 1) for v, x in zip(values, text))
    print(f"Judge: its modes are known in closed form; from them, in 60 digits, the first 12 values agree with hsv_34digits.csv to {mpmath.nstr(apart, 2)} of themselves. "
          f"sigma_11 is {mpmath.nstr(values[10], 20)}, {float(values[10] / values[0]):.1e} sigma_1.\n")
    rng = np.random.default_rng(1)
    off = {"hrm": [], "SLICOT AB09AD": []}
    for _ in range(20):  # the same numbers in another order: not one rounding in the problem, all roundings in its solution
        order = rng.permutation(s.n)
        t = System(s.name, s.a[np.ix_(order, order)], s.b[order], s.c[:, order], False, s.truth)
        off["hrm"].append(abs(ours(t, LEADING)[0]["sigma"][10] / s.truth[10] - 1))
        off["SLICOT AB09AD"].append(abs(by_slicot(t, LEADING)[0][10] / s.truth[10] - 1))
    print("Both solve the equations by a Schur form, which is that of an A moved by some eps |A|, and sigma_11 answers to such moves. So the error is drawn anew with every order of the "
          "operations. The states renumbered at random, 20 times, which changes no number of the problem:\n")
    print("| relative error of sigma_11 | least | median | largest |\n|---|---|---|---|")
    for name, x in off.items():
        print(f"| {name} | {min(x):.1e} | {np.median(x):.1e} | {max(x):.1e} |")


def era_section(systems):
    """ERA from the same Markov parameters at the same order, ours and pyMOR's."""
    print("\n## ERA beside pyMOR's\n")
    print("Markov parameters C A^k B of the systems, continuous ones sampled by zero-order hold; Hankel matrices of s x s blocks. hrm takes 2s parameters and A from the shifted matrix, "
          "S^-1/2 U^T H' V S^-1/2; pyMOR (`force_stability=False`) the 2s - 1 of the unshifted one and A by least squares from U and U a block lower (Kung 1978). `values`: largest difference of the kept singular values, of the first. "
          "Errors: root of sum |h_k - C A^k B|_F^2 over those 2s - 1, relative to that of h. pyMOR's bound: sigma_(r+1) sqrt(r + m + p).\n")
    print("| system | s | order | values | hrm | pyMOR | pyMOR's bound |\n|---|---|---|---|---|---|---|")
    for s, step, blocks, orders in systems:
        a, b = s.a, s.b
        if not s.discrete:
            whole = la.expm(np.block([[s.a, s.b], [np.zeros((s.m, s.n + s.m))]]) * step)
            a, b = whole[:s.n, :s.n], whole[:s.n, s.n:]
        h, x = [], b
        for _ in range(2 * blocks):
            h.append(s.c @ x)
            x = a @ x
        h = np.array(h)
        norm = la.norm(h[:-1])
        theirs = ERAReductor(h[:-1], 1.0, force_stability=False)
        def error(a, b, c):
            total, x = 0.0, b
            for y in h[:-1]:
                total += la.norm(c @ x - y) ** 2
                x = a @ x
            return np.sqrt(total) / norm
        for r in orders:
            text = f"{2 * blocks} {s.p} {s.m} {r}\n" + " ".join(f"{v:.17g}" for v in h.ravel())
            lines = subprocess.run([era_program], input=text, capture_output=True, text=True, check=True).stdout.split("\n")
            sigma, ra, rb, rc = (np.array(l.split(), dtype=float) for l in lines[:4])
            k = len(ra) and int(round(len(ra) ** 0.5))
            mine = ra.reshape(k, k), rb.reshape(k, s.m), rc.reshape(s.p, k)
            rom = theirs.reduce(r)
            model = tuple(dense(x) for x in rom.to_matrices()[:3])
            sv = theirs._sv_U_V(None, None)[0]
            kept = min(r, len(sigma))
            print(f"| {s.name} | {blocks} | {r} | {np.max(np.abs(sigma[:kept] - sv[:kept])) / sv[0]:.0e} | {error(*mine):.6e} | {error(*model):.6e} | {theirs.error_bounds()[r - 1] / norm:.1e} |")


peers = {"SciPy, sqrt eig(PQ)": by_scipy, "SLICOT AB09AD": by_slicot, "python-control": by_control, "pyMOR": by_pymor,
         "emgr: empirical Wc, Wo": by_emgr, "emgr: cross Gramian": by_cross}

# Why a peer differs from the reference; chosen by peer and what is seen, and said once.
reasons = {
    "SciPy, sqrt eig(PQ)": "the eigenvalues of PQ are sigma^2: rounding at eps |PQ| drowns every sigma below about 1e-8 sigma_1, and most digits well before",
    "python-control": "hsvd takes sqrt(eig(Wo Wc)) as well: sigma below about 1e-8 sigma_1 is lost",
    "python-control (discrete)": "hsvd refuses discrete systems, and balred calls SLICOT with 'C' whatever the system: a discrete A with poles right of the axis is reduced as an unstable continuous one",
    "SLICOT AB09AD": "backward stable in |A|, so relative to sigma_1 and to the conditioning of the poles: small values lose digits in proportion",
    "pyMOR": "it solves for whole Gramians (SB03MD) and factorises them afterwards: their rounding, eps |P|, weighs as its square root in a small direction of a factor",
    "emgr: empirical Wc, Wo": "Gramians from simulated responses: Simpson's rule of step 0.1/|pole| leaves about 1e-7 relative, and eigenvalues of the product lose the small values as SciPy's do",
    "emgr: cross Gramian": "the same quadrature; |eig(Wx)| are the Hankel singular values only of symmetric systems, and of one input and output",
    "emgr: cross Gramian (2 x 2)": "CDplayer's transfer matrix is not symmetric: |eig(Wx)| are then other numbers, as emgr's documentation says",
}


def correct(sigma, truth, digits):
    """Leading values correct to that many digits, counted until the first that is not."""
    k = min(len(sigma), len(truth))
    wrong = np.abs(sigma[:k] / truth[:k] - 1) > 10.0**-digits
    return int(np.argmax(wrong)) if wrong.any() else k


def worst(sigma, truth):
    k = min(LEADING, len(truth), len(sigma))
    return float(np.max(np.abs(sigma[:k] / truth[:k] - 1)))


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def show(x, form="{:.2e}"):
    return "" if x is None else form.format(x)


def main():
    systems = [from_folder(x) for x in ("build", "pde", "CDplayer", "random", "heat-cont", "fom")] + list(generated())
    published = {(r["system"], int(r["r"])): float(r["hinf_err_BT"]) for r in csv.DictReader(open(data / "rom_errors.csv"))}
    versions = ", ".join(f"{x} {importlib.metadata.version(x)}" for x in ("numpy", "scipy", "slycot", "control", "pymor", "mpmath"))
    print("# Reduction beside its peers: do they agree?\n")
    print("`HRM_MOR_DATA=FOLDER python3 bench/peers/reduction_agreement.py build/examples/reduce build/era` wrote this page; its head says what the data are.\n"
          f"Python {platform.python_version()}, {versions}; {cpu()}. emgr is its formulas for linear systems, written out in the script.\n")
    values, errors, notes, ahead = [], [], [], []
    for s in systems:
        said, small = ours(s, LEADING)
        results = {"hrm": (np.array(said["sigma"]), small)}
        for name, run in peers.items():
            try:
                results[name] = run(s, LEADING)
            except Exception as e:
                results[name] = (None, None)
                text = " ".join(str(e).split())[:90] or type(e).__name__
                notes.append((s.name, name, "no result: " + text + ("; " + reasons["python-control (discrete)"] if name == "python-control" and s.discrete else "")))
        if s.discrete and results["python-control"][1] is None:  # what balred makes of it
            try:
                r = control.balred(control.ss(s.a, s.b, s.c, np.zeros((s.p, s.m)), 1.0), LEADING)
                results["python-control"] = (None, (r.A, r.B, r.C))
            except Exception as e:
                notes.append((s.name, "python-control", "balred: " + " ".join(str(e).split())[:90]))
        row = []
        for name, (sigma, _) in results.items():
            if sigma is None:
                row.append("-")
                continue
            for digits in (10, 6):
                count, least = correct(sigma, s.truth, digits), correct(results["hrm"][0], s.truth, digits)
                if count > least:
                    off = lambda x: f"{abs(x[least] / s.truth[least] - 1):.1e} of itself, {abs(x[least] - s.truth[least]) / s.truth[0]:.0e} of sigma_1"
                    ahead.append((s.name, name, f"{count} values to {digits} digits, hrm {least}: hrm's sigma_{least + 1} is off by {off(results['hrm'][0])}, this peer's by {off(sigma)}"))
            bad = worst(sigma, s.truth)
            row.append(f"{correct(sigma, s.truth, 10)} / {correct(sigma, s.truth, 6)} / {bad:.0e}")
            if bad > 1e-8:
                key = name + " (2 x 2)" if name + " (2 x 2)" in reasons and s.m > 1 else name
                k = min(LEADING, len(s.truth), len(sigma))
                at = int(np.argmax(np.abs(sigma[:k] / s.truth[:k] - 1)))
                scale = s.truth[at] / s.truth[0]
                notes.append((s.name, name, f"sigma_{at + 1} is off by {abs(sigma[at] / s.truth[at] - 1):.0e} of itself, {abs(sigma[at] - s.truth[at]) / s.truth[0]:.0e} of sigma_1, hrm's by {abs(results['hrm'][0][at] / s.truth[at] - 1):.0e} and {abs(results['hrm'][0][at] - s.truth[at]) / s.truth[0]:.0e} (it is {scale:.0e} sigma_1): " + reasons.get(key, "unexplained")))
        values.append((f"{s.name} ({len(s.truth)} of {s.n})", row))

        line, base = [], published.get((s.name, LEADING))
        mine = error_norm(s, small)
        for name in ("hrm", "SLICOT AB09AD", "python-control", "pyMOR"):
            e = error_norm(s, results[name][1]) if results[name][1] is not None else None
            line.append(show(e, "{:.6e}"))
            if e is not None and mine is not None and abs(e - mine) > 1e-3 * mine:
                norm = said["hinf_norm"]
                if e / norm < 1e-11 or mine / norm < 1e-11:
                    why = f"both are rounding: {e / norm:.0e} and {mine / norm:.0e} of |G|"
                elif name == "python-control" and s.discrete:
                    why = f"a model of order {len(results[name][1][0])}; " + reasons["python-control (discrete)"]
                else:
                    why = f"the kept order is the same, the values at the cut are {s.truth[LEADING - 1]:.3e} and {s.truth[LEADING]:.3e}"
                notes.append((s.name, name, f"|G - Gr| = {e:.4e}, hrm {mine:.4e}: {why}"))
        own = said["hinf_error"]
        if base is not None and abs(own / base - 1) > 1e-6:
            if s.n > 500:
                why = "the largest of two grids of frequencies"
            else:
                there = gain_at(s, small, said["hinf_error_at"])
                why = f"at {said['hinf_error_at']:.8g} the gain of G - Gr is {there:.6e} in 50 digits, " + (
                    f"and the two differ by rounding, {abs(own - base) / said['hinf_norm']:.0e} of |G|" if own < 1e-11 * said["hinf_norm"] else
                    "more than the reference: that is the largest of a grid, which misses the peak" if there > base * (1 + 1e-7) else "unexplained")
            notes.append((s.name, "reference", f"|G - Gr| = {base:.6e} in rom_errors.csv, hrm {own:.6e}: {why}"))
        if mine is not None and abs(own - mine) > 1e-6 * mine:
            notes.append((s.name, "hrm", f"own norm of the error {own:.6e}, AB13DD {mine:.6e}: the gain at hrm's frequency is {gain_at(s, small, said['hinf_error_at']):.6e} in 50 digits, and the difference of the two is {abs(own - mine) / said['hinf_norm']:.0e} of |G|, rounding"))
        errors.append((s.name, show(base, "{:.6e}"), show(own, "{:.6e}"), *line, show(said["bound"], "{:.6e}"), "yes" if own <= said["bound"] + 1e-11 * said["hinf_norm"] else "NO"))

    print("## Hankel singular values\n\nA cell: leading values correct to 10 digits / to 6 digits / largest relative error of the first ten, against the reference. "
          "Behind a name: values the reference knows, of n.\n")
    print("| system | hrm | " + " | ".join(peers) + " |\n|---|" + "---|" * (len(peers) + 1))
    for name, row in values:
        print(f"| {name} | " + " | ".join(row) + " |")
    print("\nWhere a peer has more correct values than hrm:\n" if ahead else "\nNo peer has more correct values than hrm on any system.")
    for system, name, text in ahead:
        print(f"- {system}, {name}: {text}.")
    print(f"\n## H-infinity error of the reduced model of order {LEADING}\n\nReference: rom_errors.csv. `own`: hrm's certified norm, for fom the largest of some 400 "
          "frequencies; the other columns: AB13DD on G - Gr, not for fom, where it takes minutes.\n")
    print("| system | reference | hrm, own | hrm | SLICOT AB09AD | python-control | pyMOR | bound | error below bound + 1e-11 of G |\n|---|---|---|---|---|---|---|---|---|")
    for row in errors:
        print("| " + " | ".join(row) + " |")
    print("\n## Every disagreement\n\nValues among the first ten that are off by more than 1e-8 of themselves, errors that differ by more than 1e-3, peers that gave none.\n")
    for system, name, text in notes:
        print(f"- {system}, {name}: {text}.")
    named = {s.name: s for s in systems}
    heat_section(named["heat-cont"])
    era_section([(named["build"], 0.05, 100, (10, 20)), (named["CDplayer"], 1e-3, 60, (10, 30)), (named["decay"], 0.1, 60, (5, 8)), (named["rings"], 1, 60, (8, 24))])


main()
