"""Planted bugs: does anything notice?  `python tests/teeth.py [NAME ...] [--jobs 2]`.

Each bug is one textual change to one source file, made in a scratch copy of the project.  The suites
named for it (claims and tests that should notice) run against the copy until one fails.  A bug that
no suite catches is a hole in the checks, and the script exits with 1.  A change whose text is no longer
in the file is an error too: the list must follow the code.
"""

# ruff: noqa: E501  (one bug, one line)
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("rltheory", "proofs_check", "tests", "pyproject.toml", "docs")


@dataclass(frozen=True)
class Bug:
    """One planted bug: in `file`, the `n`-th occurrence (all if None) of `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    suites: tuple[str, ...]
    n: int | None = 0


def claims(*ids: str) -> tuple[str, ...]:
    """Suites that check claims by id."""
    return tuple(f"claim {i}" for i in ids)


CSR, DENSE = "rltheory/kernels/bellman_csr.py", "rltheory/kernels/bellman_dense.py"
CERT, EXACT = "rltheory/kernels/certificate.py", "rltheory/kernels/exact.py"
BELLMAN, POLICY = "rltheory/operators/bellman.py", "rltheory/operators/policy.py"
OCCUPANCY, PI = "rltheory/operators/occupancy.py", "rltheory/solvers/policy_iteration.py"
ENCLOSURES = ("test tests/property/test_enclosures.py",)
TREE, STOCK_EXACT = "rltheory/solvers/_stock_tree.py", "rltheory/solvers/stock_exact.py"
BY_HISTORIES = ("test tests/property/test_stock_optimum.py",)
BY_STOCK = ("test tests/unit/test_stock_exact.py",)

BUGS = [
    Bug(
        "exact backup forgets γ",
        EXACT,
        "[r + m.gamma * e for r, e",
        "[r + e for r, e",
        claims("exact-mdp.contraction"),
    ),
    Bug(
        "exact backup: γ²",
        EXACT,
        "[r + m.gamma * e for r, e",
        "[r + m.gamma**2 * e for r, e",
        claims("exact-mdp.shift"),
    ),
    Bug("exact max is a min", EXACT, "if q[j] > q[k]:", "if q[j] < q[k]:", claims("exact-mdp.convex")),
    Bug(
        "exact evaluation transposes P",
        EXACT,
        "P[s, m.indices[j]] += w",
        "P[m.indices[j], s] += w",
        claims("exact-mdp.killing"),
    ),
    Bug(
        "exact evaluation: γ off by one power",
        EXACT,
        "identity(m.S) - P * m.gamma)",
        "identity(m.S) - P * m.gamma**2)",
        claims("exact-mdp.killing"),
    ),
    Bug(
        "exact Howard stops after one improvement",
        PI,
        "            rows, changes = new, changes + 1\n        V = ex",
        "            rows, changes = new, changes + 1\n            v = ex.evaluate_rows(m, rows)\n            break\n        V = ex",
        (*claims("exact-mdp.pi-contraction"), "test tests/unit/test_policy_iteration.py"),
    ),
    Bug(
        "Howard never improves state 0",
        PI,
        "    if not better:\n",
        "    better = [s for s in better if s > 0]\n    if not better:\n",
        (*claims("exact-mdp.pi-contraction"), "test tests/unit/test_policy_iteration.py"),
    ),
    Bug(
        "Dantzig picks the least advantage",
        PI,
        "s = max(better, key=lambda s: (best[s] - v[s], -s))",
        "s = min(better, key=lambda s: (best[s] - v[s], -s))",
        claims("exact-mdp.dantzig-contraction"),
    ),
    Bug(
        "float PI keeps a stale policy",
        PI,
        "V = solve_discounted(P[rows], mdp.R_pairs[rows]",
        "V = solve_discounted(P[mdp.state_ptr[:-1]], mdp.R_pairs[rows]",
        ("test tests/unit/test_policy_iteration.py",),
    ),
    Bug(
        "CSR backup: max starts at zero",
        CSR,
        "best, pick = -np.inf, k",
        "best, pick = 0.0, k",
        ("test tests/unit/test_operators.py", "test tests/unit/test_iterative_solvers.py", *ENCLOSURES),
    ),
    Bug(
        "CSR backup drops odd entries",
        CSR,
        "            if j < stop:\n                a += data[j] * V[indices[j]]\n                j += one\n            q = R[k]",
        "            if j < stop:\n                j += one\n            q = R[k]",
        ("test tests/unit/test_operators.py", "test tests/unit/test_iterative_solvers.py"),
        None,
    ),
    Bug(
        "dense backup: wrong axis stride",
        DENSE,
        "base += n",
        "base += n - np.uint64(1)",
        ("test tests/unit/test_operators.py", "test tests/unit/test_iterative_solvers.py", *ENCLOSURES),
    ),
    Bug(
        "certificate drops its rounding terms",
        CERT,
        "unit = 2.0**-53 * (1 + 2.0**-9) if with_rounding else 0.0",
        "unit = 0.0",
        ENCLOSURES,
        None,
    ),
    Bug(
        "certificate: α for β",
        CERT,
        "alpha, beta = gamma * smax, gamma * smin",
        "alpha, beta = gamma * smin, gamma * smin",
        ENCLOSURES,
    ),
    Bug(
        "certificate forgets 1/(1−γ)",
        CERT,
        "add = h / tight if h >= 0.0 else h / loose",
        "add = h if h >= 0.0 else h / loose",
        ENCLOSURES,
    ),
    Bug(
        "occupancy forgets to transpose",
        OCCUPANCY,
        "(eye - mdp.gamma * P).T, law",
        "(eye - mdp.gamma * P), law",
        claims("exact-mdp.occupancy"),
    ),
    Bug(
        "occupancy: float twin forgets to transpose",
        OCCUPANCY,
        "_matrix(mdp, pi).T",
        "_matrix(mdp, pi)",
        ("test tests/unit/test_operators.py",),
    ),
    Bug(
        "normalised and unnormalised swapped",
        OCCUPANCY,
        "if normalised else d",
        "if not normalised else d",
        claims("exact-mdp.lp", "exact-mdp.occupancy"),
    ),
    Bug(
        "greedy ignores the action to keep",
        BELLMAN,
        "rows = np.where(stay, old, rows)",
        "rows = np.where(stay, rows, rows)",
        ("test tests/unit/test_operators.py",),
    ),
    Bug(
        "stochastic policy: weights not applied",
        POLICY,
        "return [[(k, to_fmpq(w[k])) for k",
        "return [[(k, to_fmpq(1.0)) for k",
        claims("exact-mdp.killing", "exact-mdp.occupancy"),
    ),
    Bug(
        "finite horizon: one step short",
        "rltheory/solvers/backward_induction.py",
        "for h in reversed(range(H)):",
        "for h in reversed(range(1, H)):",
        claims("exact-mdp.finite-horizon") + ("test tests/unit/test_backward_induction.py",),
    ),
    Bug(
        "terminal state bootstrapped",
        "rltheory/models/mdp.py",
        "rows[k, s] = one",
        "rows[k, 0] = one",
        ("test tests/unit/test_models.py", "test tests/unit/test_solve.py", "test tests/reference"),
    ),
    Bug(
        "row sums are not checked",
        "rltheory/models/validate.py",
        "bad = np.abs(sums - 1) > (0 if exact else ROW_TOL)",
        "bad = np.abs(sums - 1) > 1",
        ("test tests/unit/test_bad_input.py",),
    ),
    Bug(
        "a tie passes as holding",
        "rltheory/checks/evidence.py",
        "elif a.upper <= b.lower:",
        "elif a.lower <= b.upper:",
        ("test tests/unit/test_checks.py",),
    ),
    Bug(
        "a surviving mutant is waved through",
        "rltheory/checks/check.py",
        "if not r.killed:",
        "if False:",
        ("test tests/unit/test_checks.py",),
    ),
    Bug(
        "the verifier accepts any value function",
        "rltheory/checks/verifier.py",
        'policy"]) == V,',
        'policy"]) is not None,',
        ("test tests/unit/test_certificates.py",),
    ),
    Bug(
        "variance with γ for γ²",
        "rltheory/solvers/variance.py",
        "P * (g * g)",
        "P * g",
        claims("exact-mdp.sobel"),
    ),
    Bug(
        "expectile weights exchanged",
        "rltheory/kernels/expectile.py",
        "m = (tau * above + (1 - tau) * below) / (tau * weight + (1 - tau) * mass)",
        "m = ((1 - tau) * above + tau * below) / ((1 - tau) * weight + tau * mass)",
        claims("iql.expectile-foc"),
    ),
    Bug(
        "fundamental for deviation matrix",
        "rltheory/kernels/chain.py",
        "return _solve(I - M + limit, I - limit)",
        "return _solve(I - M + limit, I)",
        claims("exact-mdp.deviation-matrix"),
    ),
    Bug(
        "Laurent terms keep their sign",
        "rltheory/kernels/chain.py",
        "out.append(-_times(H, out[-1]))",
        "out.append(_times(H, out[-1]))",
        claims("exact-mdp.laurent"),
    ),
    Bug(
        "implicit policy iteration stops after one step",
        "rltheory/solvers/implicit_q.py",
        "            if m == v:\n",
        "            if step == 1:\n",
        ("test tests/unit/test_implicit_q.py",),
    ),
    Bug(
        "implicit policy upside down",
        "rltheory/solvers/implicit_q.py",
        "above = q > V[mdp.pair_state]\n",
        "above = q < V[mdp.pair_state]\n",
        claims("iql.policy-class"),
    ),
    Bug(
        "in-support optimum leaves the support",
        "rltheory/solvers/implicit_q.py",
        "return mdp.restrict(behaviour_weights(mdp, mu) > 0)",
        "return mdp",
        claims("iql.limit"),
    ),
    Bug(
        "advantage weights forget the behaviour",
        "rltheory/solvers/extraction.py",
        "ball.softmax(b * (row - row.max()), mass[s, at])",
        "ball.softmax(b * (row - row.max()))",
        claims("iql.awr-can-hurt-closed-form"),
    ),
    Bug(
        "greedy extraction takes the worst",
        "rltheory/solvers/extraction.py",
        "q[s, at] >= q[s, at].max() - slack",
        "q[s, at] <= q[s, at].min() + slack",
        claims("iql.stitching"),
    ),
    Bug(
        "counts halve the rewards",
        "rltheory/models/dataset.py",
        "kept[tuple(pairs.T)],\n",
        "kept[tuple(pairs.T)] / 2,\n",
        ("test tests/unit/test_dataset.py",),
    ),
    Bug(
        "stock moves by γ, not 1/γ",
        "rltheory/models/stock.py",
        "(c + r) / g) for p, u, r in rows]",
        "(c + r) * g) for p, u, r in rows]",
        ("test tests/unit/test_stock_model.py",),
    ),
    Bug(
        "stock recursion ignores later denominators",
        TREE,
        "Fraction(total) / self.L[t]",
        "Fraction(total) / self.L[0]",
        BY_STOCK,
    ),
    Bug(
        "stock recursion: a near tie is a tie in rationals",
        TREE,
        "if k == best]",
        "if k >= best - 1]",
        BY_HISTORIES,
    ),
    Bug(
        "stock law forgets the stock's scale",
        TREE,
        "t = 0 if self.scaled else t",
        "t = 0",
        ("test tests/reference/test_stock_values.py",),
    ),
    Bug(
        "value iteration's bound: one power of γ too many",
        STOCK_EXACT,
        "o.lipschitz * gamma**n * off",
        "o.lipschitz * gamma ** (n + 1) * off",
        BY_STOCK,
    ),
    Bug(
        "stationary policy's bound: half",
        STOCK_EXACT,
        "2 * gamma / (1 - gamma) * bound",
        "gamma / (1 - gamma) * bound",
        BY_STOCK,
    ),
    Bug(
        "classic reduction without the factor",
        "rltheory/solvers/stock_iteration.py",
        "p * (a * potential[j] - potential[i])",
        "p * (potential[j] - potential[i])",
        BY_HISTORIES,
    ),
    Bug(
        "quantile counts the mass at τ itself",
        "rltheory/operators/objectives.py",
        "return b if value > 1 - t",
        "return b if value >= 1 - t",
        ("test tests/unit/test_objectives.py",),
    ),
    Bug(
        "γ witness points the wrong way",
        "rltheory/operators/witnesses.py",
        "better, worse = (lottery, sure) if D < 0",
        "better, worse = (lottery, sure) if D > 0",
        ("test tests/unit/test_objectives.py",),
    ),
    Bug(
        "outcome probabilities need not sum to one exactly",
        "rltheory/models/outcome_checks.py",
        "> (0 if exact else ROW_TOL)",
        "> ROW_TOL",
        ("test tests/unit/test_outcomes.py",),
    ),
    Bug(
        "two-hot the wrong way round",
        "rltheory/operators/encodings.py",
        "p[rows, i], p[rows, i + 1] = 1 - upper, upper",
        "p[rows, i], p[rows, i + 1] = upper, 1 - upper",
        claims("stop-regressing.two-hot-mean"),
    ),
    Bug(
        "HL-Gauss not renormalised",
        "rltheory/operators/encodings.py",
        "return [v / total for v in mass]",
        "return [v / 2 for v in mass]",
        claims("stop-regressing.hl-edge-bias"),
    ),
    Bug(
        "rounding bias off by a millionth",
        "rltheory/operators/encoding_bias.py",
        "return -width / arb.pi() * total",
        "return -width / arb.pi() * total * 1.000001",
        claims("stop-regressing.hl-interior-bias"),
    ),
    Bug(
        "encoded targets without a discount",
        "rltheory/operators/encoded.py",
        "y = chain.reward + chain.gamma * (exact_array(v) if chain.is_exact else v)",
        "y = chain.reward + (exact_array(v) if chain.is_exact else v)",
        claims("stop-regressing.td-fixed-points"),
    ),
    Bug(
        "fixed points bracketed without a test",
        "rltheory/solvers/cross_entropy.py",
        "if _below(lower, F(lower)) and _below(F(upper), upper):",
        "if True:",
        ("test tests/unit/test_encodings.py",),
    ),
    Bug(
        "recovery factor off by a step",
        "rltheory/operators/flow.py",
        "out *= 1 - to_fraction(c) / i",
        "out *= 1 - to_fraction(c) / (i + 1)",
        claims("flow-td.recovery-product"),
    ),
    Bug(
        "marginal field with a wrong boundary",
        "rltheory/operators/flow.py",
        "e = t * (y - ref) * (x - t * (y + ref) / 2)",
        "e = t * (y - ref) * (x - t * (y + ref) / 3)",
        (*claims("flow-td.mean-readout-bias"), "test tests/unit/test_flow.py"),
    ),
    Bug(
        "flow TD counts the bias once",
        "rltheory/solvers/flow_td.py",
        "new = V_pi + np.linalg.solve(A, bias)",
        "new = V_pi + bias",
        ("test tests/unit/test_flow.py",),
    ),
    Bug(
        "0/0 counts as ∞",
        "rltheory/operators/coverage.py",
        "return np.where(a == 0, 0.0, a / b)",
        "return np.where(b == 0, np.inf, a / b)",
        ("test tests/unit/test_density_ratios.py",),
    ),
    Bug(
        "x/0 counts as 0",
        "rltheory/operators/coverage.py",
        "else math.inf",
        "else to_fraction(0)",
        claims("density-ratios.cc-basic-limit"),
    ),
    Bug(
        "ties count as clipped",
        "rltheory/operators/coverage.py",
        "over = np.asarray(w > level",
        "over = np.asarray(w >= level",
        claims("density-ratios.cc-basic-limit"),
    ),
    Bug(
        "coverability forgets the start law",
        "rltheory/solvers/coverability.py",
        "out[h] = (model.mu[:, None] * V).sum(axis=0)",
        "out[h] = V.max(axis=0)",
        claims("density-ratios.cov-reach"),
    ),
    Bug(
        "occupancies move with the next layer's law",
        "rltheory/operators/coverage.py",
        "model.P[h])",
        "model.P[min(h + 1, model.H - 1)])",
        claims("density-ratios.bellman-decomp"),
    ),
    Bug(
        "GLOW pays the penalty",
        "rltheory/kernels/version_space.py",
        "bound = beta + alpha * (q / n)",
        "bound = beta - alpha * (q / n)",
        claims("density-ratios.member-transfer-played"),
    ),
    Bug(
        "GLOW does not clip",
        "rltheory/kernels/version_space.py",
        "m += min(W[w, h, s, a], level) * G",
        "m += W[w, h, s, a] * G",
        ("test tests/unit/test_density_ratios.py",),
    ),
    Bug(
        "GLOW is pessimistic",
        "rltheory/solvers/glow.py",
        "first_best(first @ seen, keep)",
        "first_best(-(first @ seen), keep)",
        claims("density-ratios.member-transfer-played"),
    ),
    Bug(
        "MABO forgets the absolute value",
        "rltheory/kernels/version_space.py",
        "term = abs(m / n)",
        "term = m / n",
        ("test tests/unit/test_density_ratios.py",),
    ),
    Bug(
        "a joint set without λMB_θ²",
        "rltheory/solvers/shared_heads.py",
        "rest = self.lam * M * self.B_theta**2 - ",
        "rest = -",
        claims("multitask-gfucb.optimism"),
    ),
    Bug(
        "ρ without the cross term",
        "rltheory/solvers/shared_heads.py",
        "- to_fraction((b * w).sum())",
        "- 0 * to_fraction((b * w).sum())",
        claims("multitask-gfucb.ridge-identities"),
    ),
    Bug(
        "B without the logarithm",
        "rltheory/solvers/gfucb.py",
        "self.log_weight * 2 * sigma**2",
        "0 * self.log_weight * 2 * sigma**2",
        claims("multitask-gfucb.confidence"),
    ),
    Bug(
        "a joint set without the logarithm",
        "rltheory/solvers/shared_heads.py",
        "ball.to_arb(2 * s2)",
        "ball.to_arb(0 * s2)",
        claims("multitask-gfucb.confidence-exact"),
    ),
    Bug(
        "log determinants of A, not of A/λ",
        "rltheory/solvers/shared_heads.py",
        "ex.to_fmpq_mat(Q / to_fraction(lam))",
        "ex.to_fmpq_mat(Q)",
        claims("multitask-gfucb.ridge-identities-logdet"),
    ),
    Bug(
        "GFUCB's kernel drops ridge from r²",
        "rltheory/kernels/multitask.py",
        "r2 = B - rho[f] + lam * M * B2",
        "r2 = B - rho[f]",
        ("test tests/unit/test_multitask.py",),
    ),
    Bug(
        "independent at level ε included",
        "rltheory/kernels/subsets.py",
        "table[r, x] > level",
        "table[r, x] >= level",
        claims("multitask-gfucb.eluder-basic*"),
    ),
    Bug(
        "ε' below ε",
        "rltheory/operators/eluder.py",
        "levels = np.unique(sums[(sums >= floor) & (sums < top)])",
        "levels = np.unique(sums[sums < top])",
        claims("multitask-gfucb.eluder-basic*"),
    ),
]


def plant(bug: Bug, root: Path) -> None:
    """Make the change in the copy at `root`; raises ValueError if the text is not there."""
    path = root / bug.file
    text = path.read_text()
    if not bug.old or text.count(bug.old) == 0:
        raise ValueError(f"{bug.name}: the text to change is not in {bug.file}")
    if bug.n is None:
        path.write_text(text.replace(bug.old, bug.new))
        return
    parts = text.split(bug.old)
    path.write_text(bug.old.join(parts[: bug.n + 1]) + bug.new + bug.old.join(parts[bug.n + 1 :]))


def command(suite: str) -> list[str]:
    """The command line of a suite: `claim ID` or `test PATH`."""
    kind, what = suite.split(" ", 1)
    if kind == "claim":
        return [sys.executable, "-m", "rltheory", "check", what, "-q"]
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", what]


def catcher(bug: Bug) -> str | None:
    """The first suite that fails on the planted bug, or None."""
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
            elif source.exists():
                shutil.copy(source, root / name)
        plant(bug, root)
        env = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(root / ".numba")}
        for suite in bug.suites:
            done = subprocess.run(
                command(suite), cwd=root, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode == 1:
                return suite
            if done.returncode not in (0, 1):
                raise RuntimeError(
                    f"{bug.name}: {suite} exited with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
                )
    return None


def main() -> int:
    """Plant every bug (or those named), print which suite catches each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="bugs to plant (substrings of their names); all if none")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    chosen = [b for b in BUGS if not args.names or any(n in b.name for n in args.names)]
    missed = 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for bug, suite in zip(chosen, pool.map(catcher, chosen), strict=True):
            missed += suite is None
            print(f"{bug.name:48s} {'caught by ' + suite if suite else 'NOT CAUGHT'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
