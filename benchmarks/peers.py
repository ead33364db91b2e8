"""Adapters of other libraries, each in the form its own documentation recommends."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adapters import Adapter, Answer, Unsuitable, at_most
from .instance import Instance

MANY = 10**9
"""No iteration limit: time is limited by the runner."""


class QuantEcon(Adapter):
    """`DiscreteDP.solve`, dense product form or sparse pair form."""

    module, package = "quantecon", "quantecon"

    def __init__(self, method: str, dense: bool) -> None:
        self.method, self.dense = method, dense
        short = {"value_iteration": "vi", "policy_iteration": "pi", "modified_policy_iteration": "mpi"}
        self.name = f"quantecon-{short[method]}" + ("-dense" if dense else "")
        self.tunable = method != "policy_iteration"

    def prepare(self) -> None:
        from quantecon.markov import DiscreteDP

        self.make = DiscreteDP

    def load(self, x: Instance) -> Any:
        if self.dense:
            at_most(x.S * x.A * x.S, 2.5e8, "the (S, A, S) array")
            Q, R = x.dense_arrays()
            return self.make(R, Q, x.gamma)
        import scipy.sparse as sp

        Q = sp.csr_matrix((x.data, x.indices, x.indptr), shape=(x.N, x.S))
        return self.make(x.R, Q, x.gamma, x.pair_state, np.asarray(x.pair_action))

    def solve(self, model: Any, eps: float) -> Answer:
        out = model.solve(method=self.method, epsilon=eps, max_iter=MANY)
        return Answer(out.v, {"iterations": int(out.num_iter)})


class MDPSolver(Adapter):
    """`mdpsolver.model`, a C++ extension fed with nested lists; warm-starts, so never solved twice."""

    module, package, fresh = "mdpsolver", "mdpsolver", True

    def __init__(self, algorithm: str, update: str) -> None:
        self.algorithm, self.update = algorithm, update
        self.name = f"mdpsolver-{algorithm}" + ("-gs" if update == "gs" else "")

    def prepare(self) -> None:
        import mdpsolver

        self.make = mdpsolver.model

    def load(self, x: Instance) -> Any:
        at_most(x.nnz * 10, 2.5e9, "nested lists")
        data, cols, R = x.data.tolist(), x.indices.tolist(), x.R.tolist()
        row, pair = x.indptr.tolist(), x.state_ptr.tolist()
        probs = [data[row[k] : row[k + 1]] for k in range(x.N)]
        to = [cols[row[k] : row[k + 1]] for k in range(x.N)]
        ends = list(zip(pair, pair[1:], strict=False))
        model = self.make()
        model.mdp(
            discount=x.gamma,
            rewards=[R[a:b] for a, b in ends],
            tranMatProbs=[probs[a:b] for a, b in ends],
            tranMatColumns=[to[a:b] for a, b in ends],
        )
        return model

    def solve(self, model: Any, eps: float) -> Answer:
        model.solve(algorithm=self.algorithm, update=self.update, tolerance=eps, parallel=False)
        return Answer(np.array(model.getValueVector()))


class MDPToolbox(Adapter):
    """`mdptoolbox.mdp`: one sparse (dense up to 100 states) matrix an action."""

    module, package, fresh = "mdptoolbox", "pymdptoolbox", True

    def __init__(self, method: str) -> None:
        self.method, self.name = method, f"pymdptoolbox-{method}"
        self.tunable = method != "pi"

    def prepare(self) -> None:
        import mdptoolbox

        self.mdp = mdptoolbox.mdp

    def load(self, x: Instance) -> Any:
        import scipy.sparse as sp

        at_most(x.S * x.A, 2e8, "padded rewards")
        if self.method == "pi":
            at_most(x.S * x.S, 2.5e8, "the dense S×S system")
        pairs = x.padded()
        P = sp.csr_matrix((x.data, x.indices, x.indptr), shape=(x.N, x.S))
        laws = [P[pairs[:, a]] for a in range(x.A)]
        if x.S <= 100:
            laws = np.stack([m.toarray() for m in laws])
        return laws, x.R[pairs], x.gamma

    def solve(self, model: Any, eps: float) -> Answer:
        P, R, gamma = model
        if self.method == "vi":
            run = self.mdp.ValueIteration(P, R, gamma, epsilon=eps, max_iter=MANY)
        elif self.method == "mpi":
            run = self.mdp.PolicyIterationModified(P, R, gamma, epsilon=eps, max_iter=20)
        else:
            run = self.mdp.PolicyIteration(P, R, gamma, max_iter=MANY)
        run.run()
        return Answer(np.array(run.V).reshape(-1), {"iterations": int(run.iter)})


class Storm(Adapter):
    """Storm's sparse engine through stormpy.

    "discounted" is its own discounted operator.  The other methods get the standard translation: with
    probability 1 − γ a step ends in a sink, and the total reward until a terminal state is optimised.
    Rewards of one sign become costs or gains; of both signs, they are shifted by their minimum and
    the answer is shifted back.
    """

    module, package = "stormpy", "stormpy"

    def __init__(self, method: str) -> None:
        self.method, self.name = method, f"storm-{method}"

    def prepare(self) -> None:
        import stormpy
        from stormpy import datastructures, environments, models

        if not hasattr(stormpy, "model_checking") or not hasattr(stormpy, "Environment"):
            raise Unsuitable("needs stormpy 2")
        self.storm, self.data, self.env, self.models = stormpy, datastructures, environments, models

    def load(self, x: Instance) -> Any:
        at_most(x.nnz * 12, 2.5e9, "lists of entries")
        sign, shift, R = 1.0, 0.0, np.asarray(x.R)
        if (R <= 0).all():
            sign, R = -1.0, -R
        elif (R < 0).any():
            if x.terminal.any():
                raise Unsuitable("rewards of both signs with terminal states")
            shift, R = float(R.min()), R - R.min()
        rows = np.repeat(np.arange(x.N), np.diff(x.indptr))
        cols, probs, groups, S = x.indices.astype(np.int64), x.data, x.state_ptr[:-1], x.S
        ends = np.zeros(S, dtype=bool)
        if self.method != "discounted":
            live = ~x.terminal[x.pair_state]
            probs = np.where(live[rows], probs * x.gamma, probs)
            leave = np.flatnonzero(live)
            rows = np.concatenate([rows, leave, [x.N]])
            cols = np.concatenate([cols, np.full(leave.size, S), [S]])
            probs = np.concatenate([probs, np.full(leave.size, 1.0 - x.gamma), [1.0]])
            order = np.argsort(rows, kind="stable")
            rows, cols, probs = rows[order], cols[order], probs[order]
            groups, R, S = np.append(groups, x.N), np.append(R, 0.0), S + 1
            ends = np.append(x.terminal, True)
        builder = self.data.SparseMatrixBuilder[float](
            rows=int(rows[-1]) + 1,
            columns=S,
            entries=rows.size,
            has_custom_row_grouping=True,
            row_groups=S,
        )
        builder.add_next_values(rows.tolist(), cols.tolist(), probs.tolist(), groups.tolist())
        labels = self.models.StateLabeling(S)
        for name in ("init", "end"):
            labels.add_label(name)
        labels.add_label_to_state("init", 0)
        for s in np.flatnonzero(ends).tolist():
            labels.add_label_to_state("end", s)
        reward = self.models.SparseRewardModel[float](optional_state_action_reward_vector=R.tolist())
        parts = self.models.SparseModelComponents[float](
            transition_matrix=builder.build(), state_labeling=labels, reward_models={"r": reward}
        )
        goal = "max" if sign > 0 else "min"
        what = f"Cdiscount={x.gamma!r}" if self.method == "discounted" else 'F "end"'
        prop = self.storm.parse_properties(f'R{{"r"}}{goal}=? [{what}]')[0]
        return self.models.SparseMdp[float](parts), prop, sign, shift / (1 - x.gamma), x.S

    def solve(self, model: Any, eps: float) -> Answer:
        mdp, prop, sign, shift, S = model
        env = self.storm.Environment()
        options = env.solver().min_max()
        if self.method != "discounted":
            names = {"vi": "VALUE_ITERATION", "pi": "POLICY_ITERATION", "topological": "TOPOLOGICAL"}
            options.method = getattr(self.env.MinMaxMethod, names[self.method])
        options.precision = self.storm.Rational(f"1/{round(1 / eps)}")
        options.relative_termination_criterion = False
        out = self.storm.model_checking(mdp, prop, environment=env)
        V = np.fromiter((out.get_value(s) for s in range(S)), dtype=np.float64, count=S)
        return Answer(sign * V + shift)


def rows_of(x: Instance) -> Any:
    """(N, S) rows: a NumPy array for dense models, SciPy CSR otherwise."""
    return x.matrix().toarray() if x.dense else x.matrix()


class PlainValueIteration(Adapter):
    """Jacobi value iteration in SciPy, stopped by γ/(1−γ)·‖TV − V‖∞ ≤ ε: what one writes by hand."""

    name, module, package = "scipy-vi", "scipy", "scipy"

    def load(self, x: Instance) -> Any:
        return rows_of(x), np.asarray(x.R), x.gamma, x.state_ptr[:-1]

    def solve(self, model: Any, eps: float) -> Answer:
        P, R, gamma, first = model
        V, n = np.zeros(P.shape[1]), 0
        while True:
            new = np.maximum.reduceat(R + gamma * (P @ V), first)
            change = float(np.abs(new - V).max())
            V, n = new, n + 1
            if change * gamma <= eps * (1 - gamma) or change == 0:
                return Answer(V, {"iterations": n})


class PlainPolicyIteration(Adapter):
    """Howard's policy iteration in SciPy with a sparse LU (dense below 1000 states): written by hand."""

    name, module, package, tunable = "scipy-pi", "scipy", "scipy", False

    def load(self, x: Instance) -> Any:
        return x.matrix(), np.asarray(x.R), x.gamma, np.asarray(x.state_ptr)

    def values(self, P: Any, r: Any, gamma: float, V: Any, eps: float) -> Any:
        """V^π."""
        import scipy.sparse as sp
        from scipy.sparse.linalg import spsolve

        if P.shape[0] <= 1000:
            return np.linalg.solve(np.eye(P.shape[0]) - gamma * P.toarray(), r)
        return spsolve((sp.eye_array(P.shape[0]) - gamma * P).tocsc(), r)

    def solve(self, model: Any, eps: float) -> Answer:
        P, R, gamma, ptr = model
        V, rows, n = np.zeros(P.shape[1]), None, 0
        while True:
            q = R + gamma * (P @ V)
            best = np.maximum.reduceat(q, ptr[:-1])
            if rows is not None and self.done(best, V, q[rows], eps, gamma):
                return Answer(V, {"iterations": n})
            greedy = np.flatnonzero(q == np.repeat(best, np.diff(ptr)))
            rows = greedy[np.searchsorted(greedy, ptr[:-1])]
            V = self.values(P[rows], R[rows], gamma, V, eps)
            n += 1

    def done(self, best: Any, V: Any, own: Any, eps: float, gamma: float) -> bool:
        """No action improves by more than rounding."""
        return bool((best - own).max() <= 1e-12 * max(1.0, float(np.abs(V).max())))


class InexactPolicyIteration(PlainPolicyIteration):
    """Policy iteration with BiCGSTAB to a tenth of the residual, in SciPy: the method of madupite."""

    name, tunable = "scipy-ipi", True

    def values(self, P: Any, r: Any, gamma: float, V: Any, eps: float) -> Any:
        import scipy.sparse as sp
        from scipy.sparse.linalg import bicgstab

        M = (sp.eye_array(P.shape[0]) - gamma * P).tocsr()
        goal = max(0.1 * float(np.abs(r - M @ V).max()), 0.5 * eps * (1 - gamma))
        for _ in range(20):
            V = bicgstab(M, r, x0=V, rtol=0.0, atol=goal, maxiter=2000)[0]
            if float(np.abs(r - M @ V).max()) <= goal:
                break
        return V

    def done(self, best: Any, V: Any, own: Any, eps: float, gamma: float) -> bool:
        return bool(np.abs(best - V).max() <= eps * (1 - gamma))


class Highs(Adapter):
    """The primal linear program min Σ V(s) s.t. V(s) ≥ R + γPV, by HiGHS."""

    module, package, name = "highspy", "highspy", "highspy-lp"

    def prepare(self) -> None:
        import highspy

        self.highs = highspy

    def load(self, x: Instance) -> Any:
        import scipy.sparse as sp

        at_most(x.nnz * 4, 4e7, "the simplex tableau")
        own = sp.csr_array((np.ones(x.N), x.pair_state, np.arange(x.N + 1)), shape=(x.N, x.S))
        M = sp.csr_array(own - x.gamma * x.matrix())
        lp = self.highs.HighsLp()
        inf = self.highs.kHighsInf
        lp.num_col_, lp.num_row_ = x.S, x.N
        lp.col_cost_ = np.ones(x.S)
        lp.col_lower_, lp.col_upper_ = np.full(x.S, -inf), np.full(x.S, inf)
        lp.row_lower_, lp.row_upper_ = np.asarray(x.R), np.full(x.N, inf)
        lp.a_matrix_.format_ = self.highs.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = M.indptr.astype(np.int32), M.indices.astype(np.int32)
        lp.a_matrix_.value_ = M.data
        return lp

    def solve(self, model: Any, eps: float) -> Answer:
        h = self.highs.Highs()
        h.setOptionValue("output_flag", False)
        h.setOptionValue("threads", 1)
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            h.setOptionValue(name, min(max(eps * 1e-2, 1e-10), 1e-4))
        h.passModel(model)
        h.run()
        info = h.getInfo()
        return Answer(np.array(h.getSolution().col_value), {"iterations": int(info.simplex_iteration_count)})


def adapters() -> list[Adapter]:
    """Every peer."""
    methods = ("modified_policy_iteration", "policy_iteration", "value_iteration")
    return [
        *(QuantEcon(m, dense) for dense in (False, True) for m in methods),
        *(MDPSolver(a, u) for a in ("mpi", "vi", "pi") for u in ("standard", "gs")),
        *(MDPToolbox(m) for m in ("mpi", "vi", "pi")),
        *(Storm(m) for m in ("topological", "vi", "pi", "discounted")),
        PlainValueIteration(),
        PlainPolicyIteration(),
        InexactPolicyIteration(),
        Highs(),
    ]
