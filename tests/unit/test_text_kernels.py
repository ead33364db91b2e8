"""Text models read by the kernels are what the line-by-line readers make of them, mistakes included."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import RLTheoryError
from rltheory.kernels.text import INTEGER, NUMBER, PENDING, WORD
from rltheory.models import io
from rltheory.models.io import _text


def tokens(text: str, *, marks: bool = True) -> tuple[list[int], list[float], list[str]]:
    """Kinds, values and texts of the tokens of `text`."""
    t = _text.Tokens(marks=marks)
    assert t.read(text)
    kind, start, end, _, _, value = (x[: t.count].tolist() for x in t.arrays)
    return kind, value, [text[a:b] for a, b in zip(start, end, strict=True)]


def decimals(seed: int, n: int) -> list[str]:
    rng, gen = random.Random(seed), np.random.default_rng(seed)
    out = [repr(x) for x in gen.random(n).tolist()]
    out += [repr(x) for x in (gen.random(n) * 10.0 ** gen.integers(-12, 20, n)).tolist()]
    out += [f"-{rng.randrange(10**14, 10**19)}e-{rng.randrange(1, 30)}" for _ in range(n)]
    out += [f"{rng.randrange(2**53, 10**17) | 1}0e-1" for _ in range(n)]  # half-way between two doubles
    return out + [f"{rng.randrange(2**52, 2**53)}.5" for _ in range(n)]


def test_decimals_are_the_nearest_doubles() -> None:
    texts = decimals(0, 20_000)
    _, values, _ = tokens("\n".join(texts) + "\n")
    assert values == [float(t) for t in texts]


def test_most_shortest_decimals_need_no_second_conversion() -> None:
    texts = [repr(x) for x in np.random.default_rng(1).random(10_000).tolist()]
    kind, _, _ = tokens("\n".join(texts) + "\n")
    assert kind.count(NUMBER) > 9_990


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", INTEGER), ("7", INTEGER), ("123456789012345", INTEGER), ("1234567890123456", PENDING),
        ("07", NUMBER), ("+1", NUMBER), ("-0.0", NUMBER), ("1.", NUMBER), (".5", NUMBER), ("1e5", NUMBER),
        ("1E+02", NUMBER), ("1e-22", NUMBER), ("1e-23", PENDING), ("1e22", NUMBER), ("1e23", PENDING),
        ("1e999", WORD), ("nan", WORD), ("inf", WORD), ("1_0", WORD), ("1e", WORD), (".", WORD),
        ("-", WORD), ("1/3", WORD), ("0x1", WORD), ("1.2.3", WORD), ("--1", WORD), ("1e5e5", WORD),
        ("0." + "1" * 40, WORD), ("#1", WORD),
    ],
)  # fmt: skip
def test_kinds_of_tokens(text: str, kind: int) -> None:
    kinds, values, texts = tokens(f" {text}\t\n")
    assert (kinds, texts) == ([kind], [text])
    if kind != WORD:
        assert values == [float(text)]


def test_marks_are_tokens_only_if_asked_for() -> None:
    assert tokens("a[1,2]:3\n")[2] == ["a", "[", "1", ",", "2", "]", ":", "3"]
    assert tokens("a[1,2]:3\n", marks=False)[2] == ["a[1,2]:3"]


def named() -> rl.MDP:
    """Action sets that differ by state, words for states and actions, terminal states, an odd start law."""
    P = ([0.25, 0.75, 1.0, 1.0, 0.1, 0.9, 1.0], [0, 2, 1, 2, 0, 1, 3], [0, 2, 3, 4, 6, 7])
    return rl.MDP.from_pairs(
        P, [1.5, -2.0, 1e-300, 0.1, 0], 0.9, pair_state=[0, 0, 1, 2, 3], pair_action=[0, 2, 1, 1, 0], S=4,
        mu=[0.3, 0.7, 0, 0], terminal=[3], states=["a", "b c", 'd"', "é"], actions=["up", "left", "jump"],
    )  # fmt: skip


MODELS = {
    "garnet": rl.gallery.random_garnet(30, 3, 4, 0.9, 0),
    "maze": rl.gallery.maze(6, 0.99),
    "queue": rl.gallery.river_swim(gamma=0.95),
    "named": named(),
}


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What reading a file with the kernels (blocks of `chunk` characters) or without gives."""

    def read(path: Path, *, kernels: bool, chunk: int = 1 << 20) -> str:
        monkeypatch.setattr(_text, "BULK", 0 if kernels else 1 << 60)
        monkeypatch.setattr(_text, "CHUNK", chunk)
        try:
            mdp = io.load(path, 0.9)
        except RLTheoryError as exc:
            return f"{type(exc).__name__}: {exc}"
        return str(mdp.content_hash)

    return read


@pytest.mark.parametrize("suffix", [".drn", ".tra"])
@pytest.mark.parametrize("name", MODELS)
def test_kernels_read_what_was_written(name: str, suffix: str, tmp_path: Path, outcome: Any) -> None:
    if (name, suffix) == ("named", ".tra"):
        pytest.skip("its start law is not uniform: .tra cannot hold it")
    path = io.save(MODELS[name], tmp_path / f"m{suffix}")
    lines = outcome(path, kernels=False)
    assert "Invalid" not in lines
    for chunk in (1 << 20, 100, 7):
        assert outcome(path, kernels=True, chunk=chunk) == lines
    if suffix == ".drn":
        assert lines == MODELS[name].replace(gamma=0.9).content_hash


CHANGES = [
    "x", "-1", " ", "\n", "\t", ":", "[", "]", ",", "1/3", "1e999", "nan", "$p", '"', "//c\n", "é",
    "state 0\n",     "action a\n", "action 0 [1]\n", "99999", "0.5", "\n\n#c\n", "\r\n", "_", " init",
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".drn", ".tra"])
@pytest.mark.parametrize("name", ["garnet", "named", "maze"])
def test_mistakes_are_worded_alike(name: str, suffix: str, tmp_path: Path, outcome: Any) -> None:
    if (name, suffix) == ("named", ".tra"):
        pytest.skip("its start law is not uniform: .tra cannot hold it")
    path = io.save(MODELS[name], tmp_path / f"m{suffix}")
    text, rng, seen = path.read_text(), random.Random(0), set()
    for _ in range(250):
        at, change = rng.randrange(len(text)), rng.choice(CHANGES)
        path.write_text(text[:at] + change + text[at + rng.choice((0, 0, 1, 2, 30)) :])
        said = outcome(path, kernels=False)
        assert outcome(path, kernels=True, chunk=rng.choice((1 << 20, 300))) == said, (at, change)
        seen.add(said.partition("expected")[2][:20])
    assert len(seen) > 5


def test_lines_of_the_wrong_place_are_worded_alike(tmp_path: Path, outcome: Any) -> None:
    path = io.save(MODELS["garnet"], tmp_path / "m.drn")
    lines, rng = path.read_text().splitlines(), random.Random(1)
    for _ in range(250):
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        changed = [*lines[:i], lines[j], *lines[i + rng.choice((0, 1)) :]]
        path.write_text("\n".join(changed) + rng.choice(("", "\n")))
        said = outcome(path, kernels=False)
        assert outcome(path, kernels=True) == said, (i, j)


def test_columns_grow_by_values_and_by_arrays() -> None:
    x = _text.Column(np.int32)
    x.append(7)
    x.extend(np.arange(3000))
    x.append(8)
    x.append(9)
    assert len(x) == 3003
    assert x.array().tolist() == [7, *range(3000), 8, 9]
    assert x.array().base is None


@pytest.mark.parametrize("gamma", [0.5, Fraction(1, 2)])
def test_choices_out_of_order_zeros_and_terminal_states(gamma: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.drn"
    path.write_text(
        "@type: MDP\n@reward_models\nr\n@nr_states\n3\n@nr_choices\n4\n@model\n"
        "state 0 [1]\naction 2 [1]\n0 : 0\n1 : 1\naction 0 [0]\n2 : 1\n"
        "state 1 terminal\naction 5\n0 : 1\nstate 2\naction 1 [3]\n1 : 0.5\n2 : 0.5\n"
    )
    mdp = io.load(path, gamma)
    assert mdp.pair_state.tolist() == [0, 0, 1, 2]
    assert mdp.pair_action.tolist() == [0, 2, 5, 1]
    assert mdp.R_pairs.tolist() == [1, 2, 0, 3]
    assert mdp.P_pairs.tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0], [0, 0.5, 0.5]]


def test_a_model_of_terminal_states_only(tmp_path: Path) -> None:
    path = tmp_path / "m.drn"
    path.write_text("@type: MDP\n@nr_states\n1\n@model\nstate 0 terminal\naction 0\n0 : 0\n")
    assert io.load(path, 0.5).P_pairs.tolist() == [[1.0]]
