"""One table of malformed models, policies, files and arguments, and what the library says about each.

`tests.bad_input` runs a row; `docs/bad_input.md` is written from the same table.
"""

from __future__ import annotations

from rltheory.errors import (
    ImproperPolicy,
    InvalidArgument,
    InvalidFile,
    InvalidModel,
    NotConverged,
    OptimismLost,
)
from tests.bad_input import DRN, Case, case, in_file

CASES: dict[str, list[Case]] = {
    "Models": [
        case("rl.MDP(P, R, gamma=1.0)", InvalidModel, "gamma=1.0", "FiniteHorizonMDP"),
        case("rl.MDP(P, R, gamma=float('nan'))", InvalidModel, "gamma=nan", "[0, 1)"),
        case("rl.MDP(P, R, gamma='0.9')", InvalidModel, "gamma='0.9'", "pass a float or Fraction"),
        case(
            "rl.MDP(P[0], R, gamma=0.9)",
            InvalidModel,
            "shape=(2, 2)",
            "(S, A, S)",
            "convention='pymdptoolbox'",
        ),
        case("rl.MDP(P, R.T[:1], gamma=0.9)", InvalidModel, "R: shape=(1, 2)", "(2, 2)"),
        case(
            "rl.MDP([[[1.0]], [[0.5, 0.5]]], [[0.0], [0.0]], 0.9)",
            InvalidModel,
            "P[1] has shape (1, 2) where P[0] has (1, 1)",
            "one length",
        ),
        case(
            "rl.MDP(P, [[0.0, 1.0], 2.0], 0.9)",
            InvalidModel,
            "R[1] has shape () where R[0] has (2,)",
            "one length",
        ),
        case("rl.float_array([[1.0], 2.0])", InvalidArgument, "entries[1] has shape () where", "one length"),
        case(
            "rl.exact_array([1.0, float('nan')])", InvalidArgument, "nan is not a rational number", "finite"
        ),
        case("rl.MDP(P / 2, R, gamma=0.9)", InvalidModel, "row (s=0, a=0)", "sums to 0.5", "divide the row"),
        case("P[1, 0, 1] = 1.1; rl.MDP(P, R, 0.9)", InvalidModel, "(s=1, a=0)", "1.1", "off by 0.10"),
        case("P[1, 1] = [-0.25, 1.25]; rl.MDP(P, R, 0.9)", InvalidModel, "P[1, 1, 0]=-0.25", "≥ 0"),
        case("P[0, 1, 0] = np.nan; rl.MDP(P, R, 0.9)", InvalidModel, "P[0, 1, 0]=nan", "finite"),
        case("R[1, 0] = np.nan; rl.MDP(P, R, 0.9)", InvalidModel, "R[1, 0]=nan", "finite"),
        case("R[1, 0] = -np.inf; rl.MDP(P, R, 0.9)", InvalidModel, "R[1, 0]=-inf", "MDP.from_pairs"),
        case("rl.MDP(P.astype(str), R, 0.9)", InvalidModel, "dtype", "pass floats or Fractions"),
        case("rl.MDP(P + 0j, R, 0.9)", InvalidModel, "complex128", "pass floats or Fractions"),
        case("rl.MDP(np.ma.masked_equal(P, P[1, 0, 1]), R, 0.9)", InvalidModel, "is masked", "fill it first"),
        case("rl.float_array(np.ma.masked_less([2.0, 1.0], 1.5))", InvalidArgument, "entries[1] is masked"),
        case("rl.float_array([1.0, 'x'])", InvalidArgument, "entries[1]='x'", "real number"),
        case("rl.float_array([[1.0], [None]])", InvalidArgument, "entries[1, 0]=None", "real number"),
        case("rl.MDP(P, R, 0.9, mu=['x', 1])", InvalidModel, "mu", "real numbers"),
        case("rl.ReturnLaw([0, 'x'], [0.5, 0.5])", InvalidArgument, "atoms[1]='x'", "real number"),
        case("rl.float_array([1j, 0])", InvalidArgument, "entries[0]=1j", "real number"),
        case("rl.gallery.random_garnet(10, 2, 3, 0.9, -1)", InvalidArgument, "seed=-1", "integer ≥ 0"),
        case("rl.gallery.random_garnet(10, 2, 3, 0.9, seed=0.5)", InvalidArgument, "seed=0.5", "integer ≥ 0"),
        case(
            "import scipy.sparse as sp; rl.MDP(sp.csr_array(P[:, 0]), R, 0.9)",
            InvalidModel,
            "sparse",
            "MDP.from_pairs",
        ),
        case(
            "rl.MDP([[[F(1, 3), F(1, 3)]]] * 2, [[0], [0]], F(1, 2))",
            InvalidModel,
            "sums to 2/3",
            "divide the row",
        ),
        case("rl.MDP(P, R, 0.9, mu=[0.5, 0.6])", InvalidModel, "mu: sums to 1.1", "divide it by its sum"),
        case("rl.MDP(P, R, 0.9, mu=[1.5, -0.5])", InvalidModel, "mu[1]=-0.5", "≥ 0"),
        case("rl.MDP(P, R, 0.9, mu=[1.0])", InvalidModel, "mu: shape=(1,)", "(2,)"),
        case("rl.MDP(P, R, 0.9, terminal=[5])", InvalidModel, "terminal: [5]", "0..1"),
        case(
            "rl.MDP(P, R, 0.9, terminal=[0])", InvalidModel, "state 0 is terminal", "make its rows absorbing"
        ),
        case(
            "P[1] = [[0, 1], [0, 1]]; rl.MDP(P, R, 0.9, terminal=[1])",
            InvalidModel,
            "terminal state 1 pays R[1, 1]=-1.0",
            "put the reward on the transition into it",
        ),
        case("rl.MDP(P, R, 0.9, states=['a'])", InvalidModel, "1 labels for 2 states", "give one each"),
        case(
            "rl.MDP.from_pairs(P[0], [0, 0], 0.9, pair_state=[1, 0], pair_action=[0, 0])",
            InvalidModel,
            "pair 1 (s=0, a=0) follows (s=1, a=0)",
            "sorted by state, then action",
        ),
        case(
            "rl.MDP.from_pairs(P[0], [0, 0], 0.9, pair_state=[0, 0], pair_action=[0, 1])",
            InvalidModel,
            "state 1 has no action",
            "list it in terminal=",
        ),
        case(
            "rl.MDP.from_pairs(([1.0, 1.0], [0, 9], [0, 1, 2]), [0, 0], 0.9, pair_state=[0, 1], "
            "pair_action=[0, 0], S=2)",
            InvalidModel,
            "(s=1, a=0) moves to state 9",
            "states are 0..1",
        ),
        case("mdp.replace(gamma=1.5)", InvalidModel, "gamma=1.5", "[0, 1)"),
        case("mdp.replace(R=[1.0, 2.0, 3.0])", InvalidModel, "R: shape=(3,)"),
        case("rl.FiniteHorizonMDP(P, R, H=0)", InvalidModel, "H=0", "integer ≥ 1"),
        case("rl.FiniteHorizonMDP(P, [R, R, R], H=2)", InvalidModel, "R: shape=(3, 2, 2)", "H=2"),
        case("rl.FiniteHorizonMDP(P, R, H=2, gamma=1.2)", InvalidModel, "gamma=1.2", "[0, 1]"),
        case("rl.FiniteHorizonMDP(P, R, H=2, terminal_reward=[1.0])", InvalidModel, "shape=(1,)", "(2,)"),
        case("rl.SSP(P, R, terminal=[])", InvalidModel, "no terminal state", "AverageReward()"),
    ],
    "Policies": [
        case("rl.Policy([0.0, 1.0])", InvalidModel, "dtype=float64", "integer action ids"),
        case("rl.Policy([0, -1])", InvalidModel, "pi[1]=-1", "≥ 0"),
        case("rl.Policy([0, 2], A=2)", InvalidModel, "pi[1]=2", "A=2"),
        case(
            "rl.Policy([[0.5, 0.4], [1.0, 0.0]])",
            InvalidModel,
            "row 0 sums to 0.9",
            "divide the row by its sum",
        ),
        case("rl.Policy([[1.5, -0.5], [1.0, 0.0]])", InvalidModel, "pi[0, 1]=-0.5", "≥ 0"),
        case("rl.evaluate(mdp, [0, 1, 0])", InvalidArgument, "3 states", "S=2", "one action or row each"),
        case("rl.evaluate(mdp, [0, 5])", InvalidArgument, "5", "state 1"),
    ],
    "Solvers and operators": [
        case(
            "rl.evaluate(rl.gallery.wait_and_guess(), [0] * 4)",
            InvalidArgument,
            "LatentMDP",
            "model.context(m)",
        ),
        case("rl.bellman(rl.gallery.gambler_chain())", InvalidArgument, "OutcomeMDP", "model.to_mdp()"),
        case(
            "rl.solve(rl.gallery.wait_and_guess(), rl.ValueIteration())",
            InvalidArgument,
            "ValueIteration: model of type LatentMDP",
        ),
        case("rl.ValueIteration(tol=-1.0)", InvalidArgument, "tol=-1.0"),
        case("rl.ValueIteration(max_iter=0)", InvalidArgument, "max_iter=0"),
        case("rl.solve(mdp, rl.ValueIteration(max_iter=3))", NotConverged, "3", "raise max_iter"),
        case("rl.PolicyIteration(rule='fastest')", InvalidArgument, "rule='fastest'", "howard"),
        case("rl.PolicyIteration(pi0=[0, 7]).run(mdp)", InvalidArgument, "7", "state 1"),
        case("rl.SoftValueIteration(tau=0.0)", InvalidArgument, "tau=0.0"),
        case("rl.solvers.NaturalPolicyGradient(eta=-1.0, iterations=3)", InvalidArgument, "eta=-1.0"),
        case("rl.AverageReward(method='magic')", InvalidArgument, "method='magic'", "policy-iteration"),
        case("rl.greedy(mdp, [1.0, 2.0, 3.0])", InvalidArgument, "shape=(3,)", "(2,)"),
        case("rl.solve(mdp, rl.ValueIteration(V0=[np.nan, 0.0]))", InvalidArgument, "V0", "finite"),
        case(
            "rl.occupancy(mdp, [0, 0], mu=[0.5, 0.6])",
            InvalidModel,
            "mu: sums to 1.1",
            "divide it by its sum",
        ),
        case("rl.solve(P)", InvalidArgument, "ndarray", "MDP"),
        case(
            "rl.solve(mdp, rl.ValueIteration)",
            InvalidArgument,
            "ValueIteration is a class",
            "ValueIteration()",
        ),
        case(
            "rl.SSPSolver().run(rl.SSP([[[1, 0]], [[0, 1]]], [[-1], [0]], terminal=[1]))",
            ImproperPolicy,
            "state 0",
        ),
    ],
    "Density ratios": [
        case(
            "rl.solvers.FunctionClasses(np.zeros((0, 1, 2, 2)), np.ones((1, 1, 2, 2)))",
            InvalidArgument,
            "F has shape (0, 1, 2, 2)",
            "at least one function",
        ),
        case(
            "rl.solvers.FunctionClasses(np.full((1, 1, 2, 2), 1.5), np.ones((1, 1, 2, 2)))",
            InvalidArgument,
            "F[0, 0, 0, 0]=1.5",
            "[0, 1]",
        ),
        case(
            "rl.solvers.GLOW(rl.solvers.ModelClasses(rl.gallery.noisy_locks(2)), T=10, delta=0.0)",
            InvalidArgument,
            "delta=0.0",
            "(0, 1)",
        ),
        case(
            "classes = rl.solvers.FunctionClasses(np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2)))\n"
            "rl.solvers.GLOW(classes, T=10).run(rl.FiniteHorizonMDP(P, R, H=2))",
            InvalidArgument,
            "pays between",
            "divide the rewards",
        ),
        case(
            "rl.solvers.coverability_coefficient(rl.FiniteHorizonMDP(P, R, H=2), [])",
            InvalidArgument,
            "class of policies is empty",
        ),
        case(
            "rl.operators.density_ratio([0.5, -0.5], [1, 0])", InvalidArgument, "d has -0.5 at entry 1", "≥ 0"
        ),
        case(
            "locks = rl.gallery.noisy_locks(2)\n"
            "rl.solvers.hyglow(locks[0], rl.solvers.ModelClasses(locks), [0, 0, 0, 1], T=10)",
            InvalidArgument,
            "C_⋆ = ∞",
            "give gamma",
        ),
    ],
    "Multitask bandits": [
        case(
            "rl.models.MultitaskBandit(np.zeros((0, 2, 2, 1)), [[0.5]])",
            InvalidModel,
            "shape=(0, 2, 2, 1)",
            "at least one representation",
        ),
        case("rl.models.MultitaskBandit([[[[1.0]]]], [[2.0]])", InvalidModel, "‖θ_0‖=2", "raise it or scale"),
        case(
            "rl.models.MultitaskBandit([[[[1.0]]], [[[1.0, 0.0]]]], [[0.5]])",
            InvalidModel,
            "different shapes",
            "same (X, A, k)",
        ),
        case("rl.solvers.GFUCB(T=5, lam=0.0)", InvalidArgument, "lam=0.0", "positive"),
        case(
            "rl.solvers.joint_confidence([[[[1.0]]]], [[(0, 0, np.nan)]], sigma=1.0)",
            InvalidArgument,
            "task 0 has a reward nan",
            "must be finite",
        ),
        case("rl.operators.eluder_dimension(np.zeros((2, 13)))", InvalidArgument, "13 points", "at most 12"),
    ],
    "Laws of returns": [
        case(
            "rl.OutcomeMDP.from_lists([[[(0.5, 0, 1.0), (0.5, 0, np.nan)]]], 0.9)",
            InvalidModel,
            "outcome 1 of (s=0, a=0)",
            "reward=nan",
        ),
        case(
            "rl.OutcomeMDP.from_lists([[[(F(1, 3), 0, 1), (F(1, 3), 0, 2)]]], 1)",
            InvalidModel,
            "(s=0, a=0) sum to 2/3",
            "must be 1 exactly",
        ),
        case("rl.OutcomeMDP.from_lists([[[(1, 2, 0)]]], 1)", InvalidModel, "next state 2", "0..0"),
        case(
            "rl.OutcomeMDP.from_lists([[[(-1, 0, 0), (2, 0, 0)]]], 1)", InvalidModel, "probability=-1", "≥ 0"
        ),
        case(
            "rl.OutcomeMDP.from_lists([[[(F(1, 2), 0, 1), (F(1, 2), 0, (1, 2))]]], 1)",
            InvalidModel,
            "a vector of 2",
            "all numbers",
        ),
        case("rl.OutcomeMDP.from_lists([[[(1, 0, 0)]]], gamma=0)", InvalidModel, "gamma=0", "(0, 1]"),
        case("rl.OutcomeMDP.from_lists([[[]]], 1)", InvalidModel, "(s=0, a=0) has no outcomes"),
        case("rl.stock_augmented(rl.gallery.gambler_chain())", InvalidModel, "gamma=1", "pass H="),
        case("rl.stock_augmented(mdp, H=0)", InvalidModel, "H=0", "≥ 1"),
        case("rl.cvar(0)", InvalidArgument, "tau=0", "(0, 1]"),
        case("rl.expected_utility(lambda x: np.inf)", InvalidArgument, "inf", "finite"),
        case(
            "rl.solvers.StockInduction(rl.cvar(0.1)).run(rl.stock_augmented(mdp, H=2))",
            InvalidArgument,
            "not indifferent to mixtures",
            "StockDP",
        ),
        case(
            "clip = rl.expected_utility(lambda x: min(x, 1), name='min(x, 1)', lipschitz=1)\n"
            "rl.solvers.StockValueIteration(clip, n=5).run(rl.stock_augmented(mdp))",
            InvalidArgument,
            "not indifferent to γ=0.9",
            "finite horizon",
        ),
        case(
            "two = rl.stock_augmented(mdp, H=2)\n"
            "rl.solvers.StockInduction(rl.objectives.mean()).run(two).value(0, np.nan)",
            InvalidArgument,
            "stock=nan",
            "finite",
        ),
        case("rl.solve(rl.stock_augmented(mdp, H=2))", InvalidArgument, "StockMDP", "objective"),
    ],
    "Values in continuous time": [
        case(
            "rl.processes.PolynomialDiffusion(0, 0, -1)",
            InvalidModel,
            "negative for every x",
            "change the signs",
        ),
        case(
            "rl.processes.PolynomialDiffusion(0, 0, 1, float('nan'))",
            InvalidModel,
            "s1=nan",
            "int, float or Fraction",
        ),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "rl.solvers.ValueFamily(rl.processes.PolynomialDiffusion(0, 0, 1), 0, 1, [x])",
            InvalidArgument,
            "features[0] is x at T=1",
            "multiply it by T − t",
        ),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "rl.solvers.ValueFamily(rl.processes.PolynomialDiffusion(0, 0, 1), 0, 1, [tau], beta=-0.5)",
            InvalidArgument,
            "beta=-0.5",
            "allow_growth=True",
        ),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "rl.solvers.ValueFamily(rl.processes.PolynomialDiffusion(0.5, -1, 0, 1), -2, 1, [tau])",
            InvalidArgument,
            "σ²(x0) = -2 at x0=-2",
            "start inside the state space",
        ),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "line = rl.processes.PolynomialDiffusion(0, 0, 1)\n"
            "fam = rl.solvers.ValueFamily(line, 0, 1, [tau, 2 * tau], x)\n"
            "rl.solvers.CTDRoot().run(fam)",
            InvalidArgument,
            "A is singular",
            "condition=",
            "drop dependent features",
        ),
        case("rl.solvers.CTDRoot(lam=1.5)", InvalidArgument, "lam=1.5", "[0, 1]"),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "family = rl.solvers.ValueFamily(rl.processes.PolynomialDiffusion(0, 0, 1), 0, 1, [tau], x)\n"
            "rl.solvers.CTDRoot(n=0).run(family)",
            InvalidArgument,
            "n=0",
            "integer ≥ 1",
        ),
        case(
            "rl.operators.diffusion.moments(rl.processes.PolynomialDiffusion(0, 1, 0, 0, 4), 1, 100, 8)",
            InvalidArgument,
            "not representable in a double",
            "shorten T",
        ),
        case(
            "rl.operators.diffusion.multiply([0, 0, 1], [0, 0, 1], 3)",
            InvalidArgument,
            "degrees 2 and 2 does not fit degree=3",
            "raise the degree",
        ),
        case(
            "rl.operators.diffusion.moments(rl.processes.PolynomialDiffusion(0, 0, 1), 0, 1, -2)",
            InvalidArgument,
            "degree=-2",
            "0..64",
        ),
        case(
            "from rltheory.operators.time_polynomial import trace_decay\n"
            "trace_decay(F(1, 2)) * trace_decay(F(1, 3))",
            InvalidArgument,
            "two values of λ",
            "room for one",
        ),
        case(
            "t, x, tau = rl.operators.coordinates(1)\n"
            "line = rl.processes.PolynomialDiffusion(0, 0, 1)\n"
            "fam = rl.solvers.ValueFamily(line, 0, 1, [tau, tau * x], x)\n"
            "fam.value_error([1])",
            InvalidArgument,
            "theta has 1 entries",
            "must have 2",
        ),
    ],
    "Diffusions": [
        case("rl.processes.OU(kappa=1, mean=0, sigma=-0.5)", InvalidModel, "sigma=-0.5", "≥ 0"),
        case("rl.processes.GBM(mu=float('nan'), sigma=0.2)", InvalidModel, "mu=nan", "finite"),
        case("rl.processes.CIR(kappa=1, mean=-0.1, sigma=0.5)", InvalidModel, "mean=-0.1", "drift at 0"),
        case("rl.processes.CIR(kappa=1, mean=0.1, sigma=0)", InvalidModel, "sigma=0", "> 0"),
        case(
            "rl.processes.CIR(1, 0.1, 0.5).sample(-0.1, 1.0, 4, 2, seed=0)",
            InvalidArgument,
            "x0=-0.1",
            "above 0",
        ),
        case(
            "rl.processes.CIR(1, 0.1, 0.5).sample([0.2, 0.0], 1.0, 4, 2, seed=0)",
            InvalidArgument,
            "x0=0.0",
            "above 0",
        ),
        case(
            "rl.processes.PolynomialDiffusion(-1, 0, 0, 1, 0).sample(1.0, 1.0, 4, 2, seed=0)",
            InvalidArgument,
            "no exact transition",
            "b0 ≥ 0",
            "processes.SDE",
        ),
        case(
            "rl.processes.GBM(400.0, 0.1).sample(1.0, 1.0, 4, 2, seed=0)",
            InvalidArgument,
            "GBM: e^(2 b1 T)",
            "not representable",
        ),
        case(
            "rl.processes.GBM(0.1, 30.0).variance_at(1.0, 1.0)",
            InvalidArgument,
            "Var X_t at t=1.0",
            "shorter time",
        ),
        case("rl.processes.OU(1).sample(0.0, 1.0, 0, 2, seed=0)", InvalidArgument, "n=0", "integer ≥ 1"),
        case("rl.processes.OU(1).sample(0.0, 0.0, 4, 2, seed=0)", InvalidArgument, "T=0.0", "> 0"),
        case(
            "rl.processes.OU(1).sample(0.0, 1.0, [0.0, 0.1, 1.0], 2, seed=0)",
            InvalidArgument,
            "n=[0.0, 0.1, 1.0]",
            "equal steps",
        ),
        case("rl.processes.OU(1).variance_at(0.0, -1.0)", InvalidArgument, "t=-1.0", "time ≥ 0"),
        case("rl.processes.OU(1).sample(0.0, 1.0, 4, 2, seed=-1)", InvalidArgument, "seed=-1", "≥ 0"),
        case(
            "rl.processes.OU(1).sample(0.0, 1.0, 4, 2, seed=0, threads=0)",
            InvalidArgument,
            "threads=0",
            "≥ 1",
        ),
        case("rl.processes.OU(1).sample([0.0] * 3, 1.0, 4, 2, 0)", InvalidArgument, "shape (3,)", "(2,)"),
        case("rl.processes.LinearSDE([[1.0, 0.0]])", InvalidModel, "LinearSDE: A", "(1, 2)"),
        case(
            "rl.processes.SDE(lambda t, x: x, lambda t, x: 1, scheme='heun')",
            InvalidModel,
            "scheme='heun'",
            "'milstein'",
        ),
        case(
            "rl.processes.ControlledLQ(A=1.0, B=1.0, Q=1.0, R=1.0).value(0.5)",
            InvalidArgument,
            "grow at rate 3",
            "stabilising K",
        ),
        case("rl.solvers.CLSTDLearner(n=4, episodes=1)", InvalidArgument, "episodes=1", "≥ 2"),
        case("rl.solvers.CTDLearner(n=0)", InvalidArgument, "n=0", "integer ≥ 1"),
        case("rl.solvers.CLSTDLearner(n=4, lam=1.5)", InvalidArgument, "lam=1.5", "(0, 1]"),
        case(
            "rl.solvers.LinearCandidate(rl.processes.OU(1), 0.0, 0.0, [lambda t, x: x])",
            InvalidArgument,
            "T=0.0",
            "> 0",
        ),
        case(
            "task = rl.solvers.LinearCandidate(rl.processes.OU(1), 0.0, 1.0, [lambda t, x: x]); "
            "rl.solvers.CLSTDLearner(n=4).run(task)",
            InvalidArgument,
            "features[0]",
            "at T=1.0, must be 0",
            "multiply it by T − t",
        ),
        case(
            "f = lambda t, x: (1 - t) * x\n"
            "task = rl.solvers.LinearCandidate(rl.processes.OU(1), 0, 1, [f, f])\n"
            "rl.solvers.CLSTDLearner(n=4).run(task)",
            InvalidArgument,
            "A is degenerate",
            "condition=",
            "drop dependent features",
        ),
    ],
    "Metrics and value gradients": [
        case(
            "rl.operators.Metric([[0, 1, 3], [1, 0, 1], [3, 1, 0]])",
            InvalidArgument,
            "D[0, 2]=3 > D[0, 1] + D[1, 2] = 1 + 1",
            "Metric.shortest_paths",
        ),
        case("rl.operators.Metric([[0, 0], [0, 0]])", InvalidArgument, "D[0, 1]=0", "quotient(D)"),
        case("rl.operators.Metric([[0, 1], [2, 0]])", InvalidArgument, "D[0, 1]=1 ≠ D[1, 0]=2", "symmetric"),
        case("rl.operators.Metric([[0.0, -1.0], [-1.0, 0.0]])", InvalidArgument, "D[0, 1]=-1.0", "positive"),
        case("rl.operators.Metric([[1]])", InvalidArgument, "D[0, 0]=1", "must be 0"),
        case(
            "m = rl.operators.Metric.line([0, 1, 3])\n"
            "rl.operators.wasserstein_1([F(1, 2), F(1, 4), 0], [1, 0, 0], m)",
            InvalidArgument,
            "p: sums to 3/4",
            "divide it by its sum",
        ),
        case(
            "m = rl.operators.Metric.line([0, 1, 3])\n"
            "rl.operators.wasserstein_1([1, 0, 0], [0, 0, 1], m, within=2)",
            InvalidArgument,
            "D ≤ 2",
            "wasserstein_inf",
        ),
        case(
            "rl.operators.lipschitz([0, 1], rl.operators.Metric.line([0, 1, 3]))",
            InvalidArgument,
            "V: shape (2,)",
            "n=3",
        ),
        case(
            "rl.operators.lipschitz_envelope([0, 1], rl.operators.Metric.line([0, 1]), -1)",
            InvalidArgument,
            "c=-1",
            "≥ 0",
        ),
        case(
            "m = rl.operators.Metric([[0.0, 1.0], [1.0, 0.0]])\n"
            "rl.operators.wasserstein_inf([1.0, 0.0], [0.0, 1.0], m, drop=1.0)",
            InvalidArgument,
            "drop=1.0",
            "1e-12 is for rounding",
        ),
        case("rl.solvers.mse_loss([[1.0], [2.0]], weights=[-1.0, 1.0])", InvalidArgument, "weights", "≥ 0"),
        case(
            "rl.solvers.fit_linear_model([[1, 2]], [[1, 2]], rank=1)",
            InvalidArgument,
            "rank=1 of rationals",
            "pass doubles",
        ),
        case(
            "rl.solvers.fit_linear_model([[1.0], [2.0]], [[1.0]])",
            InvalidArgument,
            "Z has shape (2, 1)",
            "(1, q)",
        ),
    ],
    "Continuous control and quadrature": [
        case(
            "rl.models.LQR(P[0], [[0.0], [1.0]], [[1.0, 1.0], [0.0, 1.0]], [[1.0]])",
            InvalidModel,
            "Q[0, 1]=1.0 and Q[1, 0]=0.0",
            "(Q + Qᵀ)/2",
        ),
        case(
            "rl.models.LQR([[0.5]], [[1.0]], [[1.0]], [[0.0]])",
            InvalidModel,
            "R has the eigenvalue 0",
            "positive definite",
        ),
        case(
            "rl.solvers.Kleinman().run(rl.gallery.scalar_lqr())",
            InvalidArgument,
            "A − BK0 has the eigenvalue 0.5",
            "start from a stabilising gain",
        ),
        case(
            "rl.solvers.solve_lyapunov([[1.0]], [[1.0]])",
            InvalidModel,
            "eigenvalue 1",
            "real part < 0",
        ),
        case(
            "m = rl.models.LQR([[3.0, 0.0], [0.0, -1.0]], [[0.0], [1.0]], np.eye(2), [[1.0]])\n"
            "rl.solvers.solve_riccati(m)",
            InvalidModel,
            "not stabilisable",
            "eigenvalue 3",
        ),
        case(
            "rl.solvers.QuadratureIteration(N=4, rule='simpson').run(rl.gallery.third_order_lqr())",
            InvalidArgument,
            "N=4 nodes, must be odd",
            "use trapezoid",
        ),
        case(
            "solver = rl.solvers.QuadratureIteration(0.4, 2, K0=[[2.5]])\n"
            "solver.run(rl.gallery.scalar_lqr()).raise_if_failed()",
            NotConverged,
            "diverged",
            "refine the mesh",
        ),
        case(
            "rl.solvers.IntegralRL((1.0, 0.0, 0.0), windows=2).run(rl.gallery.third_order_lqr())",
            InvalidArgument,
            "windows=2 rows for 6 unknowns",
            "at least 6",
        ),
        case(
            "rl.solvers.IntegralRL((0.0, 0.0, 0.0)).run(rl.gallery.third_order_lqr())",
            InvalidArgument,
            "x0=[0.0, 0.0, 0.0]",
            "not 0",
        ),
        case(
            "m = rl.models.LQR(np.diag([-1.0, -2.0]), np.eye(2), np.eye(2), np.eye(2))\n"
            "rl.solvers.IntegralRL((1.0, 0.0)).run(m).raise_if_failed()",
            NotConverged,
            "1 of the 3 entries of P",
            "excites every mode",
        ),
        case(
            "k = rl.operators.Matern(2.5, lengthscale=0.5)\n"
            "rl.operators.bayesian_quadrature([0.0, 1e-9, 0.5, 1.0], k)",
            InvalidArgument,
            "too close together",
            'method="balls"',
        ),
        case(
            "rl.operators.even_nodes(1.0, 1)",
            InvalidArgument,
            "N=1",
            "N=2 is one trapezoid",
        ),
        case(
            "rl.operators.simpson([0.0, 0.4, 1.0])",
            InvalidArgument,
            "not evenly spaced",
            "use trapezoid or bayesian_quadrature",
        ),
        case(
            "k = rl.operators.Matern(3.5, lengthscale=3.0)\n"
            "rl.operators.bayesian_quadrature(np.linspace(0, 1, 33), k, method='dense')",
            InvalidArgument,
            "cond K",
            'method="state-space"',
        ),
        case("rl.operators.Matern(2, 1.0)", InvalidArgument, "nu=2", "1/2, 3/2, 5/2 or 7/2"),
        case(
            "rl.solvers.window_rule(0.1, 5, 'trapezoid', nugget=1e-8)",
            InvalidArgument,
            "nugget=1e-08",
            "Bayesian rules only",
        ),
    ],
    "Regret": [
        case("rl.UCBVI(delta=0)", InvalidArgument, "delta=0 is outside (0, 1)", "use 0.1"),
        case("rl.UCBVI(delta='0.1')", InvalidArgument, "delta='0.1' is outside (0, 1)", "use 0.1"),
        case("rl.solvers.MVP(scale=-1)", InvalidArgument, "scale=-1", "1 is the published algorithm"),
        case("rl.UCBVI('freedman')", InvalidArgument, "bonus='freedman'", "'hoeffding' or 'bernstein'"),
        case("rl.solvers.PSRL(alpha=0)", InvalidArgument, "alpha=0", "must be positive"),
        case("rl.solvers.ExploreThenCommit(-1)", InvalidArgument, "explore=-1", "episodes ≥ 0"),
        case(
            "rl.regret(rl.UCBVI(), mdp, K=10)", InvalidArgument, "model is a MDP", "FiniteHorizonMDP.from_mdp"
        ),
        case(
            "rl.regret('ucbvi', rl.gallery.sticky(), K=10)", InvalidArgument, "is a str", "learner(task, rng)"
        ),
        case("rl.regret(rl.UCBVI(), rl.gallery.sticky(), K=0)", InvalidArgument, "K=0", "≥ 1"),
        case(
            "rl.regret(rl.UCBVI(), rl.gallery.sticky(), K=10, seeds=[])",
            InvalidArgument,
            "no seeds",
            "at least one run",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.gallery.sticky(), K=10, seeds=[3, 3])",
            InvalidArgument,
            "seed 3 is there twice",
            "narrow the bands",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.gallery.sticky(), K=10, points=[11])",
            InvalidArgument,
            "points=[11]",
            "1..K=10",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.FiniteHorizonMDP(P, R, H=3), K=10)",
            InvalidArgument,
            "R[0, 1]=3",
            "after adding 1 to every step",
            "assumes rewards in [0, 1]",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.gallery.river_swim_episodes(4, 10), K=10, vmax=1)",
            InvalidArgument,
            "some episode pays 7, more than vmax=1",
            "clipped below the truth",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.FiniteHorizonMDP(P, R / 4, H=3, gamma=0.9), K=10)",
            InvalidArgument,
            "gamma=0.9",
            "undiscounted",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.FiniteHorizonMDP(P, R / 4, H=3, terminal_reward=[0, 1]), K=10)",
            InvalidArgument,
            "terminal_reward is not 0",
            "in the last step",
        ),
        case(
            "rl.regret(rl.solvers.QUCB('bernstein'), rl.gallery.sticky(), K=10, vmax=1)",
            InvalidArgument,
            "vmax=1",
            "stated for vmax=H=8",
        ),
        case(
            "rl.regret(rl.solvers.PSRL(), rl.gallery.sticky(), K=10, vmax=1).plot(bound=True)",
            InvalidArgument,
            "PSRL has no theorem",
            "bound=lambda K: ...",
        ),
        case(
            "rl.regret(rl.UCBVI(), rl.gallery.sticky(), K=10, vmax=1, seeds=[0]).bound()",
            InvalidArgument,
            "vmax=1",
            "stated for rewards in [0, 1]",
        ),
        case(
            "river = rl.gallery.river_swim_episodes(4, 10)\n"
            "rl.regret(rl.UCBVI(scale=0), river, K=2000, seeds=[0]).require_optimism()",
            OptimismLost,
            "seed 0",
            "raise scale",
        ),
        case("rl.gallery.needle(4, at=4)", InvalidArgument, "at=4", "at < A=4"),
    ],
    "Latent MDPs": [
        case(
            "rl.LatentMDP([mdp, mdp], weights=[0.5, 0.6], H=2)",
            InvalidModel,
            "weights: sum to 1.1",
            "divide them by their sum",
        ),
        case(
            "rl.LatentMDP([mdp, mdp], weights=[1.0, 0.0], H=2)",
            InvalidModel,
            "weights[1]=0.0",
            "leave the context out",
        ),
        case("rl.LatentMDP([mdp, mdp], weights=[1.0], H=2)", InvalidModel, "weights: shape=(1,)", "(2,)"),
        case("rl.LatentMDP([mdp], weights=[1.0], H=0)", InvalidModel, "H=0", "integer ≥ 1"),
        case("rl.LatentMDP([mdp], weights=[1.0])", InvalidModel, "H is missing"),
        case("rl.LatentMDP(mdp, weights=[1.0], H=2)", InvalidModel, "one MDP", "from_arrays"),
        case("rl.LatentMDP([], weights=[], H=2)", InvalidModel, "no models"),
        case(
            "rl.LatentMDP([mdp, mdp.exact()], weights=[0.5, 0.5], H=2)",
            InvalidModel,
            "models[1]",
            "number system",
        ),
        case(
            "part = rl.MDP.from_pairs(P[0, [0, 0, 1]], [0, 0, 0], 0.9, pair_state=[0, 1, 1], "
            "pair_action=[0, 0, 1])\nrl.LatentMDP([part], weights=[1.0], H=2)",
            InvalidModel,
            "does not allow action",
            "repeat an allowed one",
        ),
        case(
            "rl.LatentMDP([rl.FiniteHorizonMDP(P, R, H=2, gamma=0.5)], weights=[1.0])",
            InvalidModel,
            "models[0]",
            "undiscounted",
        ),
        case(
            "rl.LatentMDP([mdp.replace(R=R * 0 + 0.3)], weights=[1.0], H=4)",
            InvalidModel,
            "of context 0 collects 1.2 (H=4)",
            "normalisation='rescale'",
        ),
        case(
            "rl.LatentMDP([mdp], weights=[1.0], H=4)",
            InvalidModel,
            "R[0, 1, 1]=-1.0",
            "rewards must be ≥ 0",
        ),
        case(
            "rl.LatentMDP.from_arrays([P], [R * 0], weights=[1.0], nu=[[0.5, 0.25]], H=2)",
            InvalidModel,
            "nu: row (m=0) sums to 0.75",
            "divide it by its sum",
        ),
        case(
            "rl.LatentMDP.from_arrays([P / 2], [R * 0], weights=[1.0], nu=[[1, 0]], H=2)",
            InvalidModel,
            "P: row (m=0, s=0, a=0) sums to 0.5",
            "divide it by its sum",
        ),
        case("rl.gallery.latent_hard(d=2, M=3)", InvalidArgument, "M=3 contexts", "spell only 2", "raise d"),
        case("rl.gallery.maxsat_latent([[1, 0]])", InvalidArgument, "non-empty lists of ±1"),
        case("rl.gallery.wait_and_guess(w=1)", InvalidArgument, "w=1", "both contexts are drawn"),
        case(
            "x = rl.gallery.latent_three(); rl.solvers.BeliefDP(max_nodes=10).run(x)",
            InvalidArgument,
            "more than max_nodes=10",
            "PointBased",
        ),
        case("rl.solvers.PointBased(tol=0)", InvalidArgument, "tol=0", "the gap asked for"),
        case("rl.solvers.AlphaDP(prune='all')", InvalidArgument, "prune='all'", "'lp', 'pareto' or 'none'"),
    ],
    "Gallery and generators": [
        case("rl.gallery.garnet(1, 3, 2, 5, 0.9)", InvalidArgument, "b=5", "n=3", "lower b"),
        case("rl.gallery.river_swim(S=1)", InvalidArgument, "S=1", "≥ 2"),
        case("rl.gallery.secretary(n=2.5)", InvalidArgument, "n=2.5", "integer ≥ 1"),
        case(
            "rl.gallery.frozen_lake(['SF', 'XG'])",
            InvalidArgument,
            "letter 'X' at row 1, column 0",
            "use SFHG",
        ),
        case("rl.gallery.frozen_lake('5x5')", InvalidArgument, "lake='5x5'", "'4x4', '8x8'"),
        case(
            "rl.gallery.gridworld(2, 2, walls=[(1, 1)])", InvalidArgument, "goal=(1, 1) is a wall", "move it"
        ),
        case("rl.gallery.queue(service=(0.5, 0.8))", InvalidArgument, "(0.5, 0.8)", "arrival + service ≤ 1"),
        case("rl.gallery.chain(slip=1.2)", InvalidArgument, "slip=1.2", "[0, 1]"),
        case("rl.gallery.blackjack('vegas')", InvalidArgument, "rule='vegas'", "'textbook'"),
        case("rl.gallery.inventory(5, demand=[0.5, 0.6])", InvalidArgument, "demand=[0.5, 0.6]", "sum to 1"),
        case("rl.gallery.describe('frozen lake')", InvalidArgument, "'frozen lake'", "frozen_lake"),
    ],
    "Arrays from elsewhere": [
        case("rl.from_arrays(P, R, 0.9, convention='matlab')", InvalidArgument, "'matlab'", "pymdptoolbox"),
        case(
            "rl.from_arrays(np.ones((3, 2, 3)) / 3, np.zeros((3, 2)), 0.9, convention='pymdptoolbox')",
            InvalidModel,
            "(3, 2, 3)",
            "use convention='rltheory'",
        ),
        case("rl.from_arrays(P, R[:1], 0.9, convention='quantecon')", InvalidModel, "R: shape=(1, 2)"),
        case(
            "R[1] = -np.inf; rl.from_arrays(P, R, 0.9, convention='quantecon')",
            InvalidModel,
            "rewards of state 1 are -inf",
            "needs an allowed action",
        ),
        case("rl.from_arrays(P[0], R[0], 0.9, convention='quantecon-pairs')", InvalidArgument, "s_indices="),
        case(
            "rl.from_arrays(P[0], R[0], 0.9, convention='quantecon-pairs', s_indices=[0, 1], a_indices=[0])",
            InvalidModel,
            "a_indices: shape=(1,)",
            "(2,)",
        ),
    ],
    "Gymnasium": [
        case(
            "rl.from_gymnasium('FrozenLake-v9', 0.9)",
            InvalidArgument,
            "FrozenLake-v9",
            "gymnasium.registry",
            quoted=False,
        ),
        case("rl.from_gymnasium('CartPole-v1', 0.9)", InvalidArgument, "no transition table P", "build MDP"),
        case(
            "rl.from_gymnasium('FrozenLake-v1', 0.9, colour=3)",
            InvalidArgument,
            "colour",
            "drop the argument",
            quoted=False,
        ),
        case("rl.from_gymnasium('FrozenLake-v1', 1.0)", InvalidModel, "gamma=1.0", "SSP"),
        case(
            "class Env: P = {0: {0: [(1.0, 4, 0.0, False)]}}\nrl.from_gymnasium(Env(), 0.9)",
            InvalidModel,
            "P[0][0]: moves to state 4",
            "0..0",
        ),
        case(
            "p = 0.7390851332151607\n"
            "class Env: P = {0: {0: [(p, 0, 0.0, True), (1 - p, 0, 0.0, True)]}}\n"
            "rl.from_gymnasium(Env(), F(9, 10))",
            InvalidModel,
            "0.7390851332151607",
            "pass a float gamma",
        ),
    ],
    "PRISM explicit files": [
        in_file("m.tra", "m.tra:1: the file ends here", "truncated", text=""),
        in_file("m.tra", "m.tra:7", "5 transitions", "truncated?", swap=("2 0 2 1\n", "")),
        in_file("m.tra", "m.tra names no discount", "pass gamma=", options="", error=InvalidArgument),
        case("rl.load('gone.tra', gamma=0.9)", InvalidFile, "gone.tra", "No such file", "check the path"),
        in_file("m.tra", "m.tra:1", "'dtmc'", "'states choices transitions'", text="dtmc\n"),
        in_file(
            "m.tra",
            "m.tra:1",
            "1000000000000",
            "a file of 76 bytes can hold",
            swap=("3 4 6", "1000000000000 4 6"),
        ),
        in_file("m.tra", "m.tra:3", "'7'", "0..2", swap=("0 0 1 0", "0 0 7 0")),
        in_file("m.tra", "m.tra:2", "'half'", "p/q", swap=("0 0 0 0.5", "0 0 0 half")),
        in_file("m.tra", "m.tra:2", "'nan'", "finite", swap=("0 0 0 0.5", "0 0 0 nan")),
        in_file("m.tra", "m.tra:2", "'1_0'", "finite", swap=("0 0 0 0.5", "0 0 0 1_0")),
        in_file(
            "m.tra", "m.tra:3", "second transition", "add the probabilities up", swap=("0 0 1 0", "0 0 0 0")
        ),
        in_file("m.tra", "m.tra:4", "choice 3", "expected 1", swap=("0 1 2", "0 3 2")),
        in_file("m.tra", "m.tra:4", "'0 1 2'", "'s choice s' p", swap=("0 1 2 1", "0 1 2")),
        in_file("m.tra", "m.tra:3", "'go'", "one name", swap=("0.5\n0 0 1 0.5", "0.5 stay\n0 0 1 0.5 go")),
        in_file("m.tra", "m.tra:1", "5 choices declared", "4 listed", swap=("3 4 6", "3 5 6")),
        in_file("m.tra", "(s=0, a=0)", "sums to 0.8", "divide the row", swap=("0 0 0 0.5", "0 0 0 0.3")),
        in_file(
            "m.tra",
            "(s=0, a=0)",
            "999999/1000000",
            "pass a float gamma",
            swap=("0 0 0 0.5", "0 0 0 0.499999"),
            options="gamma=F(9, 10)",
        ),
        in_file("m.tra", "m.tra:1", r"\\x89PNG", "UTF-8", "binary", text=b"\x89PNG\r\n\x1a\n\x00\x00"),
        in_file("m.tra", "state 1 has no choice", "deadlocks='terminal'", text="2 1 1\n0 0 1 1\n"),
        in_file("m.tra", "m.srew:1", "'5'", "3 states, as in", beside=("m.srew", "5 1\n0 2.5\n")),
        in_file("m.tra", "m.srew", "1 rewards", "2, as the header says", beside=("m.srew", "3 2\n0 2.5\n")),
        in_file("m.tra", "m.trew:2", "target 0", "m.tra", beside=("m.trew", "3 4 1\n2 0 0 5\n")),
        in_file("m.tra", "m.lab:2", "'4'", "declared on line 1", beside=("m.lab", '0="init"\n0: 4\n')),
        in_file(
            "m.tra", "m.sta", "no line for state 2", "truncated?", beside=("m.sta", "(x)\n0:(0)\n1:(1)\n")
        ),
        in_file(
            "m.tra",
            "'goal'",
            "['init']",
            beside=("m.lab", '0="init"\n0: 0\n'),
            options="gamma=0.9, terminal='goal'",
            error=InvalidArgument,
        ),
        in_file("m.nm", "m.nm", "export them with", text="mdp\n"),
    ],
    "Storm DRN files": [
        in_file("m.drn", "the file ends here", "@model", "truncated", text=""),
        in_file("m.drn", "m.drn names no discount", "pass gamma=", options="", error=InvalidArgument),
        in_file("m.drn", "m.drn:16", "1 states", "truncated?", swap=(DRN[DRN.index("state 1") :], "")),
        in_file("m.drn", "m.drn:1", "'POMDP'", "mdp or dtmc", swap=("MDP", "POMDP")),
        in_file("m.drn", "m.drn:2", "'parametric'", "instantiate", swap=("double", "parametric")),
        in_file("m.drn", "m.drn:4", "'p q'", "no parameters", swap=("@parameters\n\n", "@parameters\np q\n")),
        in_file("m.drn", "m.drn:8", "'99999999'", "can hold", swap=("_states\n2", "_states\n99999999")),
        in_file("m.drn", "m.drn:16", "'5'", "0..1", swap=("state 1", "state 5")),
        in_file("m.drn", "m.drn:14", "'9'", "0..1", swap=("\t\t0 : 0.5", "\t\t9 : 0.5")),
        in_file("m.drn", "m.drn:15", "a target above 0", swap=("\t\t1 : 0.5", "\t\t0 : 0.5")),
        in_file("m.drn", "m.drn:13", "'[1'", "']'", swap=("[1]", "[1")),
        in_file("m.drn", "m.drn:13", "'[1, 2]'", "1 rewards", swap=("[1]", "[1, 2]")),
        in_file("m.drn", "m.drn:14", "'$p'", "@placeholders", swap=("0 : 0.5", "0 : $p")),
        in_file("m.drn", "m.drn:15", "'go left'", "target : probability", swap=("1 : 0.5", "go left")),
        in_file("m.drn", "2 choices", "3, as @nr_choices says", swap=("choices\n2", "choices\n3")),
        in_file("m.drn", "reward='cost'", "['r']", options="gamma=0.9, reward='cost'", error=InvalidArgument),
        in_file(
            "m.drn",
            "deadlocks='loop'",
            "'refuse' or 'terminal'",
            options="gamma=0.9, deadlocks='loop'",
            error=InvalidArgument,
        ),
    ],
    "Sweeps and intervals": [
        case("rl.sweep(abs, over={'x': []})", InvalidArgument, "over['x'] is empty"),
        case("rl.sweep(abs, over={'x': 'abc'})", InvalidArgument, "must be a list"),
        case("rl.sweep(abs, over={'x': [1, 1]})", InvalidArgument, "equal values", "drop one"),
        case("rl.sweep(abs, over={'x': [object()]})", InvalidArgument, "x[0]=", "content_hash", quoted=False),
        case("rl.sweep(abs, over={'x': [1]}, seeds=[3, 3])", InvalidArgument, "seeds=[3, 3]", "distinct"),
        case("rl.sweep(abs, over={'seed': [1]}, seeds=2)", InvalidArgument, "'seed'", "give seeds="),
        case("rl.sweep(abs, over={'error': [1]})", InvalidArgument, "'error'", "rename it"),
        case(
            "open('s', 'w').write('x' * 200)\nrl.sweep(abs, over={'x': [1]}, store='s')",
            InvalidFile,
            "cannot be used",
            "move it away",
            quoted=False,
        ),
        case("rl.operators.confidence_sequence([0.5])", InvalidArgument, "lower=None", "give both bounds"),
        case(
            "rl.operators.confidence_sequence([0.5, 2.0], lower=0, upper=1)",
            InvalidArgument,
            "observation 1 is",
            "outside [0, 1]",
        ),
        case(
            "rl.operators.confidence_sequence([0.5], sigma=1, alpha=1.5)",
            InvalidArgument,
            "alpha=1.5",
            "(0, 1)",
        ),
    ],
    "Learning in latent MDPs": [
        case("rl.solvers.LatentOptimism('ucb')", InvalidArgument, "planner='ucb'", "ext"),
        case("rl.solvers.LatentOptimism(scale=-1)", InvalidArgument, "scale=-1", "≥ 0"),
        case("rl.solvers.LatentOptimism(delta=0)", InvalidArgument, "delta=0", "(0, 1)"),
        case(
            "rl.solvers.LatentOptimism('val', prune='hull')", InvalidArgument, "prune='hull'", "use 'pareto'"
        ),
        case(
            "rl.regret(rl.solvers.MVP(), rl.gallery.wait_and_guess(H=3), K=5)",
            InvalidArgument,
            "agent is a MVP",
            "MergedAgent",
        ),
        case(
            "rl.regret(rl.solvers.LatentOptimism(), rl.gallery.wait_and_guess(H=3), K=5, vmax=3)",
            InvalidArgument,
            "vmax=3",
            "leave it out",
        ),
    ],
    "The library's own files": [
        in_file("m.npz", "not a readable .npz archive", "truncated?", text="no archive", options=""),
        case(
            "path = rl.save(mdp, 'm.npz')\npath.write_bytes(path.read_bytes()[:-200])\nrl.load('m.npz')",
            InvalidFile,
            "m.npz",
            "truncated",
        ),
        case(
            "np.savez('m.npz', P=P)\nrl.load('m.npz')",
            InvalidFile,
            "no member 'version'",
            "written by save()",
        ),
        case(
            "np.savez('m.npz', version=np.array([mdp], dtype=object))\nrl.load('m.npz')",
            InvalidFile,
            "member version.npy has dtype object",
            "pickles are not read",
        ),
        case(
            "import io as bytes_io, zipfile\nbuffer = bytes_io.BytesIO()\n"
            "head = {'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}\n"
            "np.lib.format.write_array_header_1_0(buffer, head)\n"
            "with zipfile.ZipFile('m.npz', 'w') as z:\n"
            "    z.writestr('version.npy', buffer.getvalue() + bytes(8))\n"
            "rl.load('m.npz')",
            InvalidFile,
            "declares shape (1000000000000,)",
            "truncated or forged",
        ),
        case(
            "rl.save(P, 'm.npz')",
            InvalidArgument,
            "ndarray is not a model",
            "or LatentMDP",
        ),
        case("rl.save(mdp, 'm.pickle')", InvalidArgument, "path='m.pickle'", ".npz, .drn or .tra"),
        case("rl.save(rl.gallery.countdown(3), 'm.drn')", InvalidArgument, "not SSP", "write .npz"),
        case("rl.save(mdp, 'no/such/folder/m.npz')", InvalidFile, "cannot be written", "check the folder"),
        case("rl.save(mdp.replace(mu=[0.25, 0.75]), 'm.tra')", InvalidArgument, "mu[0]=0.25", "write .npz"),
        case("rl.load('model.txt')", InvalidFile, "'.txt'", ".npz, .drn or .tra"),
        case("rl.load('gallery:rivers')", InvalidArgument, "'rivers'", "river_swim"),
        case("rl.load('gallery:river_swim?n=4')", InvalidArgument, "no parameter 'n'", "S, gamma"),
        case("rl.load('gallery:garnet?n=3&m=2&b=2&gamma=0.9')", InvalidArgument, "needs seed"),
        case(
            "rl.load('gallery:simulation_tight')",
            InvalidArgument,
            "a pair of models",
            "gallery.simulation_tight()",
        ),
    ],
}
