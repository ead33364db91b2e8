"""Files and arrays: every format returns the model it was given, bit for bit; readers read others' files."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidFile, MissingBackend
from rltheory.models import StockMDP, io
from rltheory.models import gallery as G

ROOT = Path(__file__).resolve().parents[2]


def models() -> dict[str, rl.MDP]:
    wild = G.random_mdp(6, 3, 0.9, 5, concentration=0.2)
    return {
        "dense": wild,
        "lifted": wild.exact(),
        "lifted-changed": wild.exact().replace(gamma=F(1, 3), R=wild.exact().R + F(1, 7)),
        "csr": G.random_garnet(30, 2, 3, 0.99, 1),
        "rational": G.howard_taxicab(F(9, 10)),
        "ragged": G.gambler(10).discounted(F(1, 2)),
        "ragged-float": G.gambler(10, 0.4).discounted(0.5),
        "terminal": G.frozen_lake("4x4", F(9, 10)),
        "labels": G.gridworld(3, 3, 0.5, walls=[(1, 1)]),
        "start": G.coin(0.9),
        "chain": G.two_state_chain(0.1 + 0.2),
        "numbers": rl.MDP([[[1.0]]], [[5e-324]], 1 - 2**-53),
        "cancelling": rl.MDP([[[0.1, 0.2, 0.7]] * 2] * 3, [[1e300, -1 / 3]] * 3, 0.0),
        "long": G.feinberg_huang(300, F(9, 10)),
    }


MODELS = models()


@pytest.mark.parametrize("name", MODELS)
def test_npz_round_trip(name: str, tmp_path: Path) -> None:
    m = MODELS[name]
    path = rl.save(m, tmp_path / "m.npz")
    back = rl.load(path)
    assert back == m
    assert (back.layout, back.states, back.actions) == (m.layout, m.states, m.actions)


@pytest.mark.parametrize("name", [n for n in MODELS if "lifted" not in n])
def test_drn_round_trip(name: str, tmp_path: Path) -> None:
    m = MODELS[name]
    assert rl.load(rl.save(m, tmp_path / "m.drn")) == m


@pytest.mark.parametrize("name", [n for n in MODELS if "lifted" not in n])
def test_prism_round_trip(name: str, tmp_path: Path) -> None:
    m = MODELS[name]
    path = rl.save(m, tmp_path / "m.tra")
    assert rl.load(path, gamma=m.gamma, actions=m.actions) == m


def test_npz_keeps_transition_rewards_and_other_models(tmp_path: Path) -> None:
    P = np.array([[[0.25, 0.75]], [[0.5, 0.5]]])
    m = rl.MDP(P, np.arange(4.0).reshape(2, 1, 2), 0.9)
    back = rl.load(rl.save(m, tmp_path / "a.npz"))
    assert (back.R_next == m.R_next).all()
    for model in (
        G.blackjack(),
        G.countdown(4),
        G.cash_out(),
        rl.FiniteHorizonMDP(np.stack([P, P[::-1]]), [[1.0], [2]], 2, gamma=0.5, terminal_reward=[3, 4]),
    ):
        again = rl.load(rl.save(model, tmp_path / "b.npz"))
        assert type(again) is type(model)
        assert again == model


def outcome_models() -> dict[str, Any]:
    third = rl.OutcomeMDP.from_lists([[[(1 / 3, 0, 0.1), (2 / 3, 1, -1)], None], [None, [(1, 1, 0)]]], 0.9)
    exact = rl.OutcomeMDP.from_lists(
        [[[(F(1, 3), 0, 1), (F(2, 3), 1, F(-1, 7))]], []],
        F(1, 2), mu=[F(1, 4), F(3, 4)], terminal=[1], states=["a", "é"], actions=["go"],
    )  # fmt: skip
    several = rl.OutcomeMDP.from_lists([[[(0.5, 0, (1.0, 2.0)), (0.5, 0, (0.0, -1.0))]]], 1.0)
    return {
        "float": third, "exact": exact, "lifted": third.exact(), "vector": several,
        "endless": rl.stock_augmented(exact), "horizon": rl.stock_augmented(third, 3),
        "stages": StockMDP([third, third.replace(reward=third.reward * 2)], 2),
        "lifted stock": rl.stock_augmented(third.exact(), 2),
    }  # fmt: skip


@pytest.mark.parametrize("name", outcome_models())
def test_outcomes_and_stocks_round_trip(name: str, tmp_path: Path) -> None:
    m = outcome_models()[name]
    back = rl.load(rl.save(m, tmp_path / "m.npz"))
    assert type(back) is type(m) and back == m
    if isinstance(m, StockMDP):
        assert (back.H, back.stages) == (m.H, m.stages)
    else:
        assert (back.states, back.actions, back.gamma) == (m.states, m.actions, m.gamma)


def test_stored_outcomes_are_validated(tmp_path: Path) -> None:
    path = rl.save(outcome_models()["exact"], tmp_path / "m.npz")
    assert rl.load(path, gamma=F(1, 3)).gamma == F(1, 3)
    with pytest.raises(InvalidArgument, match="keeps its own"):
        rl.load(rl.save(outcome_models()["horizon"], tmp_path / "s.npz"), gamma=0.5)
    with np.load(path) as held:
        members = dict(held)
    for key, value, words in (
        ("0.next_state", np.array([0, 7, 1]), "describes no valid model.*next state 7"),
        ("0.outcome_ptr", np.array([0, 9, 3]), "describes no valid model"),
        ("stages", np.int64(2), "stages=2"),
        ("kind", np.frombuffer(b"5\nodder", np.uint8), "kind='odder'"),
    ):
        np.savez(path, **members | {key: value})
        with pytest.raises(InvalidFile, match=words):
            rl.load(path)


doubles = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(doubles, doubles), min_size=1, max_size=4), st.floats(0, 1, exclude_max=True))
def test_any_double_survives_every_format(tmp_path: Path, rewards: list[Any], gamma: float) -> None:
    S = len(rewards)
    P = np.zeros((S, 2, S))
    P[:, 0, 0] = 1
    P[:, 1] = np.full(S, 1.0) / S
    m = rl.MDP(P, np.array(rewards) + 0.0, gamma)  # no negative zero
    for suffix in (".npz", ".drn", ".tra"):
        options = {"gamma": gamma} if suffix == ".tra" else {}
        assert rl.load(rl.save(m, tmp_path / f"m{suffix}"), **options) == m


# ---- other people's files ----------------------------------------------------------------

TRA = """4 5 7
0 0 0 0.4 east
0 0 1 0.6 east
0 1 2 1 south
1 0 2 0.5 south
1 0 3 0.5 south
2 0 2 1 stuck
3 0 1 1 west
"""


def write(folder: Path, **files: str) -> Path:
    for suffix, text in files.items():
        (folder / f"robot.{suffix}").write_text(text)
    return folder / "robot.tra"


def test_prism_files_of_an_mdp(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        tra=TRA,
        srew='# Reward structure: "energy"\n# State rewards\n4 2\n0 2.3\n1 1\n',
        trew="# Transition rewards\n4 5 2\n0 0 1 10\n1 0 3 4\n",
        lab='0="init" 1="deadlock" 2="goal"\n0: 0\n2: 1 2\n',
        sta="(x,y)\n0:(0,0)\n1:(0,1)\n2:(1,0)\n3:(1,1)\n",
    )
    m = rl.from_prism(path, F(9, 10))
    assert m.actions == ("east", "south", "stuck", "west")
    assert m.states == ("0,0", "0,1", "1,0", "1,1")
    assert m.mu.tolist() == [1, 0, 0, 0]
    assert [(s, a) for s, a in zip(m.pair_state, m.pair_action, strict=True)] == [
        (0, 0),
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert m.R_pairs.tolist() == [F("2.3") + F("0.6") * 10, F("2.3"), 1 + 2, 0, 0]
    assert m.P[0, 0].tolist() == [F(2, 5), F(3, 5), 0, 0]
    ends = rl.from_prism(path, 0.9, terminal="goal")
    assert ends.terminal.tolist() == [False, False, True, False]
    assert rl.from_prism(path.with_suffix(".lab"), 0.9) == rl.load(
        path.with_suffix("").with_suffix(".srew"), gamma=0.9
    )


def test_prism_reward_structures_by_name_and_number(tmp_path: Path) -> None:
    write(tmp_path, tra=TRA)
    (tmp_path / "robot1.srew").write_text('# Reward structure: "moves"\n4 1\n0 1\n')
    (tmp_path / "robot2.srew").write_text('# Reward structure: "energy"\n4 1\n0 7\n')
    for name, value in (("moves", 1), ("energy", 7), (2, 7), ("1", 1)):
        assert rl.from_prism(tmp_path / "robot.tra", 0.5, reward=name).R_pairs[0] == value
    with pytest.raises(InvalidArgument, match=r"1 \('moves'\), 2 \('energy'\)"):
        rl.from_prism(tmp_path / "robot.tra", 0.5)


def test_prism_chain_and_deadlock(tmp_path: Path) -> None:
    path = write(tmp_path, tra="3 3\n0 1 0.5\n0 2 0.5\n1 1 1\n", trew="3 1\n0 1 4\n")
    m = rl.from_prism(path, 0.5, deadlocks="terminal")
    assert m.A == 1
    assert m.R_pairs.tolist() == [2, 0, 0]
    assert m.terminal.tolist() == [False, False, True]
    with pytest.raises(InvalidFile, match="state 2 has no choice"):
        rl.from_prism(path, 0.5)


DRN = """// Exported by storm
// Original model type: MDP
@type: MDP
@value_type: double
@parameters

@placeholders
$p : 0.5
@reward_models
coins steps
@nr_states
3
@nr_choices
4
@model
state 0 [0, 1] init "a label"
\taction flip [1, 0]
\t\t1 : $p
\t\t2 : 0.5
\taction stop [0, 0]
\t\t2 : 1
state 1 [0, 1]
\taction flip [1, 0]
\t\t0 : 1/2
\t\t2 : 0.5
state 2 [0, 0] done
\taction __NOLABEL__ [0, 0]
\t\t2 : 1
"""


def test_storm_file(tmp_path: Path) -> None:
    path = tmp_path / "m.drn"
    path.write_text(DRN)
    m = rl.from_drn(path, F(1, 2), reward="coins", terminal="done")
    assert m.R_pairs.tolist() == [1, 0, 1, 0]
    assert m.P[0, 0].tolist() == [0, F(1, 2), F(1, 2)]
    assert m.terminal.tolist() == [False, False, True]
    assert m.mu.tolist() == [1, 0, 0]
    assert rl.from_drn(path, 0.5, reward=1).R_pairs.tolist() == [1, 1, 1, 0]
    with pytest.raises(InvalidArgument, match=r"pass reward= one of \['coins', 'steps'\]"):
        rl.from_drn(path, 0.5)


# ---- arrays ------------------------------------------------------------------------------


def test_conventions_agree() -> None:
    m = G.random_mdp(4, 3, 0.9, 2, support=2)
    by_action = m.P.transpose(1, 0, 2)
    assert rl.from_arrays(m.P, m.R, 0.9) == m
    assert rl.from_arrays(by_action, m.R, 0.9, convention="pymdptoolbox") == m
    assert rl.from_arrays(tuple(by_action), m.R, 0.9, convention="pymdptoolbox") == m
    sparse = [sp.csr_matrix(p) for p in by_action]
    assert rl.from_arrays(sparse, m.R, 0.9, convention="pymdptoolbox") == m
    assert rl.from_arrays(m.P, m.R, 0.9, convention="quantecon") == m
    order = np.random.default_rng(0).permutation(m.N)
    for Q in (m.P_pairs[order], sp.csr_array(m.P_pairs[order])):
        pairs = rl.from_arrays(
            Q,
            m.R_pairs[order],
            0.9,
            convention="quantecon-pairs",
            s_indices=m.pair_state[order],
            a_indices=m.pair_action[order],
        )
        assert pairs == m


def test_transition_rewards_by_action() -> None:
    m = G.random_mdp(4, 3, 0.9, 2, support=2)
    by_action, rewards = m.P.transpose(1, 0, 2), np.arange(48.0).reshape(3, 4, 4)
    expected = (by_action * rewards).sum(axis=2).T
    dense = rl.from_arrays(by_action, rewards, 0.9, convention="pymdptoolbox")
    sparse = rl.from_arrays(
        [sp.csr_matrix(p) for p in by_action],
        [sp.csr_matrix(r) for r in rewards],
        0.9,
        convention="pymdptoolbox",
    )
    assert np.allclose(dense.R, expected)
    assert np.allclose(sparse.R, expected)


def test_forbidden_actions_of_quantecon() -> None:
    Q = np.zeros((2, 2, 2))
    Q[:, :, 0] = 1
    Q[1, 1] = 7  # a forbidden row may hold anything
    m = rl.from_arrays(Q, np.array([[1.0, 2], [3, -np.inf]]), 0.9, convention="quantecon")
    assert m.allowed.tolist() == [[True, True], [True, False]]


def test_exact_arrays_stay_exact() -> None:
    m = G.howard_toymaker(F(9, 10))
    assert (
        rl.from_arrays(m.P.transpose(1, 0, 2), m.R, F(9, 10), convention="pymdptoolbox").P.tolist()
        == m.P.tolist()
    )


# ---- Gymnasium ---------------------------------------------------------------------------


class Toy:
    """An environment by its table alone."""

    def __init__(self, P: Any, start: Any = None) -> None:
        self.P, self.initial_state_distrib = P, start


def test_a_terminated_transition_pays_and_ends() -> None:
    P = {
        0: {0: [(0.5, 1, 4.0, True), (0.5, 1, 2.0, False)], 1: [(1.0, 0, 0.0, False)]},
        1: {0: [(1.0, 1, 1.0, False)], 1: [(1.0, 0, 9.0, True)]},
    }
    m = rl.from_gymnasium(Toy(P, [1.0, 0.0]), 0.5)
    assert m.P[0, 0].tolist() == [0, 0.5, 0.5]
    assert m.R[:2].tolist() == [[3, 0], [1, 9]]
    assert m.terminal.tolist() == [False, False, True]
    assert m.mu.tolist() == [1, 0, 0]
    V = rl.solve(m).V
    assert V[1] == 9
    assert V[0] == 3 + 0.5 * 0.5 * 9
    assert m.gamma == 0.5


def test_gymnasium_tables_and_ours() -> None:
    for size in ("4x4", "8x8"):
        ours = G.frozen_lake(size, F(19, 20))
        theirs = rl.from_gymnasium("FrozenLake-v1", F(19, 20), map_name=size)
        assert (rl.solve(theirs).V[: ours.S] == rl.solve(ours).V).all()
    dry = rl.from_gymnasium("FrozenLake-v1", F(1, 2), is_slippery=False)
    assert rl.solve(dry).V[0] == F(1, 2) ** 5


def test_without_gymnasium_the_install_command_is_named() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "import rltheory as rl\n"
        "try: rl.from_gymnasium('FrozenLake-v1', 0.9)\n"
        "except rl.errors.MissingBackend as e: print(e)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "pip install rltheory[io]" in out.stdout
    assert issubclass(MissingBackend, ImportError)


# ---- load and save -----------------------------------------------------------------------


def test_addresses() -> None:
    assert rl.load("gallery:river_swim?S=4&gamma=9/10") == G.river_swim(4, F(9, 10))
    assert rl.load("gallery:river_swim", gamma=0.5) == G.river_swim(gamma=0.5)
    assert rl.load("gallery:frozen_lake?lake=8x8&gamma=0.9") == G.frozen_lake("8x8", 0.9)
    assert rl.load("gallery:blackjack?rule=plain&exact=false") == G.blackjack("plain", exact=False)
    assert rl.load("gymnasium:FrozenLake-v1?map_name=8x8&gamma=0.9").S == 65


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rl.save(MODELS["csr"], tmp_path / "m.npz")
    monkeypatch.setattr(np, "savez", lambda out, **_: out.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rl.save(MODELS["dense"], path)
    assert rl.load(path) == MODELS["csr"]
    assert os.listdir(tmp_path) == ["m.npz"]


def test_large_files_are_streamed(tmp_path: Path) -> None:
    m = G.river_swim(20_000, 0.99)
    for suffix in (".drn", ".tra"):
        options = {"actions": m.actions} if suffix == ".tra" else {}
        assert rl.load(rl.save(m, tmp_path / f"m{suffix}"), gamma=0.99, **options) == m


def test_public_functions_of_io() -> None:
    assert set(io.__all__) >= {"from_arrays", "from_drn", "from_gymnasium", "from_prism", "load", "save"}
