"""Reports: honest digits, escaped tables, grids found, pictures drawn."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from rltheory.checks import Evidence, MutantReport, Report, Verdict
from rltheory.checks.report import Counterexample
from rltheory.errors import InvalidArgument
from rltheory.models import MDP, Policy
from rltheory.reports import grid, html, plot, table, text
from rltheory.results import Enclosure, Solution, Status

pytestmark = pytest.mark.fast
NASTY = '<b>x</b> | *y* & "z" `w`\n$V^π$ ≤ 1/(1−γ)'


def report(id: str = "p.c", verdict: Verdict = Verdict.CERTIFIED, **change: object) -> Report:
    base = Report(
        id=id,
        statement="a ≤ b",
        source="Author (2020), Theorem 1",
        verdict=verdict,
        expect=Verdict.CERTIFIED,
        scope="100 random instances",
        instances=100,
        evaluations=700,
        evidence=Evidence.EXACT,
        best_ratio=0.98,
        least_slack=0.01,
        worst_instance="MDP(...)",
        tight_ratio=1.0,
        mutants=(MutantReport("γ² for γ", "search", 12, "MDP(...)"), MutantReport("other", "named", 3)),
        findings=(),
        counterexample=None,
        seed=0,
        n=100,
        seconds=1.25,
    )
    return dataclasses.replace(base, **change)  # type: ignore[arg-type]


# ---- text --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lower", "upper"), [(0.1, 0.1 + 1e-13), (-3.25, 7.5), (1e-9, 2e-9), (123456.0, 123456.5), (0.0, 1e-30)]
)
def test_a_printed_enclosure_contains_the_enclosure(lower: float, upper: float) -> None:
    mid, radius = text.number(Enclosure(lower, upper)).split(" ± ")
    m, r = Fraction(mid), Fraction(radius)
    assert m - r <= Fraction(lower)
    assert Fraction(upper) <= m + r
    assert r <= 3 * (Fraction(upper) - Fraction(lower)) + Fraction(1, 10**16)


def test_numbers_read_well() -> None:
    assert text.number(Fraction(22, 7)) == "22/7"
    assert text.number(Enclosure(Fraction(1, 3), Fraction(1, 3))) == "1/3"
    long = text.number(Fraction(10**40 + 1, 3 * 10**39))
    assert long.startswith("3.33333333333333… (exact, 40-digit")
    assert text.decimal(Fraction(10**400)) == "1e+400"
    assert text.decimal(Fraction(-2, 3 * 10**400), 5) == "-6.6667e-401"
    assert text.decimal(Fraction(1, 8)) == "0.125"
    assert text.count(1, "property") == "1 property"
    assert text.count(2, "property") == "2 properties"
    assert [text.seconds(t) for t in (1e-5, 0.14, 7265)] == ["0.01 ms", "140 ms", "2 h 1 min"]


def test_columns_align() -> None:
    lines = text.columns(("a", "long"), [("xyz", 1), ("x", 22)], right=(1,)).splitlines()
    assert [len(ln) for ln in lines] == [9, 9, 9, 9]
    assert lines[2].endswith("   1")


# ---- verdict tables ----------------------------------------------------------------------
def test_tables_name_surprises() -> None:
    reports = [report("p.a"), report("p.b", Verdict.VACUOUS, findings=("the mutant survives",))]
    plain = table.plain(reports, elapsed=2.0)
    assert "VACUOUS (expected certified)" in plain
    assert (
        "2 claims: 1 certified, 1 vacuous; 1 surprise; 200 instances; 1,400 evaluations (700/s); 2.0 s"
        in plain
    )
    assert "1+1/2" in plain
    assert table.plain([r.summary() for r in reports], elapsed=2.0) == plain


def test_saved_verdicts_are_no_work() -> None:
    rows = [report("p.a").summary(), report("p.b").summary() | {"saved": True}]
    line = table.totals(rows, elapsed=1.0)
    assert line.startswith("2 claims, 1 of them saved before: 2 certified;")
    assert "700 evaluations (700/s)" in line


def test_an_identity_has_no_ratio() -> None:
    identity = report().summary() | {"relation": "="}
    assert table.row(identity)[4] == "="
    assert "an identity; largest side 0.98" in html.atlas([identity])


def test_an_empty_table_is_said_to_be_empty() -> None:
    assert "0 claims: none checked" in table.totals([])


def test_markdown_cells_hold_no_markup() -> None:
    lines = table.markdown([report(statement=NASTY)]).splitlines()
    bars = [len(re.findall(r"(?<!\\)\|", ln)) for ln in lines]
    assert bars == [bars[0]] * 3
    assert "\\<b\\>" in lines[2]
    assert "\\*y\\*" in lines[2]


def test_the_terminal_table_holds_every_claim() -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table.rich_table([report("p.a"), report("p.b", Verdict.REFUTED)], title="all"))
    out = console.export_text()
    assert "p.a" in out
    assert "REFUTED (expected certified)" in out


# ---- the atlas ---------------------------------------------------------------------------
class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_atlas_is_escaped_and_self_contained(tmp_path: Path) -> None:
    bad = report(
        f"q.{NASTY}",
        Verdict.REFUTED,
        statement=NASTY,
        source=NASTY,
        worst_instance=NASTY,
        findings=(NASTY,),
        mutants=(MutantReport(NASTY, "", 5),),
        counterexample=Counterexample(NASTY, NASTY, "1", Evidence.EXACT),
    )
    page = html.write_atlas(tmp_path / "atlas.html", [report(), bad], title=NASTY).read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not re.search(r"<script|src=|url\(|https?:", page)
    assert "".join(tags.text).count(NASTY) >= 6
    assert "<b>x</b>" not in page
    assert "survived" in page
    assert 'class="surprise"' in page


def test_the_atlas_survives_missing_ratios() -> None:
    page = html.atlas(
        [report(best_ratio=float("nan"), tight_ratio=float("nan"), mutants=(), worst_instance="")]
    )
    assert "no ratio" in page
    assert "nan" not in page


# ---- grids -------------------------------------------------------------------------------
def room(rows: int, cols: int, *, walls: frozenset[tuple[int, int]] = frozenset(), slip: float = 0.2) -> MDP:
    """Actions up, right, down, left (not the gallery's order); goal in the last cell pays 1."""
    cells = [(r, c) for r in range(rows) for c in range(cols) if (r, c) not in walls]
    at = {cell: s for s, cell in enumerate(cells)}
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    P, R = np.zeros((len(cells), 4, len(cells))), np.zeros((len(cells), 4))
    for s, (r, c) in enumerate(cells[:-1]):
        for a in range(4):
            for b, p in ((a, 1 - slip), ((a + 1) % 4, slip / 2), ((a + 3) % 4, slip / 2)):
                t = at.get((r + moves[b][0], c + moves[b][1]), s)
                P[s, a, t] += p
                R[s, a] += p * (t == len(cells) - 1)
    labels = [f"({r},{c})" for r, c in cells] if walls else None
    return MDP(P, R, 0.9, terminal=[len(cells) - 1], states=labels)


def solution(mdp: MDP) -> Solution:
    """Plain value iteration, enough to draw."""
    V = np.zeros(mdp.S)
    for _ in range(400):
        V = (mdp.R + mdp.gamma * mdp.P @ V).max(axis=1)
    pi = Policy((mdp.R + mdp.gamma * mdp.P @ V).argmax(axis=1), A=mdp.A)
    return Solution(V, V - 1e-9, V + 1e-9, pi, Status.SOLVED, "test", mdp, residuals=(1.0, 0.1, 0.01))


@pytest.mark.parametrize(("rows", "cols"), [(2, 3), (3, 3), (4, 6), (6, 4)])
def test_a_grid_is_found_with_its_width(rows: int, cols: int) -> None:
    found = grid.find_grid(room(rows, cols))
    assert found is not None
    assert (found.rows, found.cols) == (rows, cols)
    assert found.moves == ((-1, 0), (0, 1), (1, 0), (0, -1))


def test_arrows_lead_to_the_goal() -> None:
    mdp = room(2, 3, slip=0.0)
    picture = grid.arrows(mdp, Policy([1, 1, 2, 1, 1, 0], A=4), grid.find_grid(mdp))
    assert picture == "→ → ↓\n→ → G"


def test_walls_come_from_labels() -> None:
    mdp = room(3, 3, walls=frozenset({(1, 1)}))
    found = grid.find_grid(mdp)
    assert found is not None
    lines = grid.arrows(mdp, solution(mdp).pi, found).splitlines()
    assert [ln[2:3] for ln in lines] == ["→", " ", "→"]


def test_holes_are_not_goals() -> None:
    mdp = room(3, 3, slip=0.5)
    P, R = mdp.P.copy(), mdp.R.copy()
    P[5] = 0  # beside the goal, and entered together with it
    R[5] = 0
    holed = MDP(P, R, 0.9, terminal=[5, 8])
    found = grid.find_grid(holed)
    assert found is not None
    assert grid.signs(holed, found) == {5: grid.STOP, 8: grid.GOAL}


def test_an_end_outside_the_grid_is_left_out() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    from rltheory.models.gallery import frozen_lake
    from rltheory.models.io import from_gymnasium

    lake = from_gymnasium(gymnasium.make("FrozenLake-v1", map_name="8x8"), gamma=0.99)
    found = grid.find_grid(lake)
    assert found is not None
    assert (found.rows, found.cols, found.end) == (8, 8, 64)
    own = frozen_lake("8x8", gamma=0.99)
    same = grid.find_grid(own)
    assert same is not None
    assert grid.signs(lake, found) == grid.signs(own, same)
    cliff = from_gymnasium(gymnasium.make("CliffWalking-v1"), gamma=0.9)
    edge = grid.find_grid(cliff)
    assert edge is not None
    assert (edge.rows, edge.cols) == (4, 12)
    assert grid.signs(cliff, edge) == {**dict.fromkeys(range(37, 47), grid.STOP), 47: grid.GOAL}


def test_a_chain_and_a_random_model_are_no_grids() -> None:
    n = 12
    P = np.zeros((n, 2, n))
    P[np.arange(n), 0, np.maximum(np.arange(n) - 1, 0)] = 1
    P[np.arange(n), 1, np.minimum(np.arange(n) + 1, n - 1)] = 1
    assert grid.find_grid(MDP(P, np.zeros((n, 2)), 0.9)) is None
    rng = np.random.default_rng(0)
    assert grid.find_grid(MDP(rng.dirichlet(np.ones(n), (n, 4)), np.zeros((n, 4)), 0.9)) is None


def test_coordinates_read_labels() -> None:
    cards = [f"{kind} {t} v {d}" for kind in ("hard", "soft") for t in (12, 13) for d in ("A", 2)]
    found = grid.coordinates([*cards, "end"])
    assert found is not None
    assert found.kinds == ("hard", "soft")
    assert found.col.tolist() == [1, 2] * 4 + [0]
    assert found.kind[-1] == -1
    assert grid.coordinates(["(0, 0)", "(0, 1)", "(1, 0)"]) is not None
    assert grid.coordinates(["0, 0", "0, 0"]) is None
    assert grid.coordinates(["up", "down"]) is None


def test_letters_show_a_table_of_actions() -> None:
    labels = [f"({i}, {j})" for i in range(2) for j in range(2)]
    P = np.full((4, 2, 4), 0.25)
    mdp = MDP(P, np.zeros((4, 2)), 0.5, states=labels, actions=["stick", "hit"])
    found = grid.coordinates(labels)
    assert found is not None
    lines = grid.letters(mdp, Policy([0, 1, 1, 0]), found).splitlines()
    assert lines[:2] == ["1 │ H S", "0 │ S H"]
    assert "S = stick, H = hit" in lines[-1]


def test_numeric_actions_are_shown_as_numbers() -> None:
    assert grid.numeric(["move -1", "move 0", "move 1"]) == [-1, 0, 1]
    assert grid.numeric(["slow 1", "fast 2"]) is None
    assert grid.numeric(["left", "right"]) is None


# ---- pictures ----------------------------------------------------------------------------
def test_every_picture_draws(tmp_path: Path) -> None:
    sol = solution(room(3, 4))
    labelled = MDP(
        np.full((4, 2, 4), 0.25),
        np.zeros((4, 2)),
        0.5,
        states=["0,0", "0,1", "1,0", "1,1"],
        actions=["-1", "1"],
    )
    pictures = {
        "grid": plot.policy(sol, title="grid"),
        "stochastic": plot.policy(dataclasses.replace(sol, pi=Policy(np.full((12, 4), 0.25)))),
        "table": plot.policy(solution(labelled)),
        "values": plot.enclosure(sol),
        "residuals": plot.residuals([sol]),
        "worst": plot.worst_case_progress(np.arange(1, 9), np.linspace(0.1, 0.9, 8)),
    }
    for name, fig in pictures.items():
        out = plot.save(fig, tmp_path / f"{name}.png")
        assert out.stat().st_size > 5_000
    assert len(pictures["grid"].axes[0].texts) > 11
    assert len(pictures["table"].axes) == 2


def test_an_exact_solution_has_a_picture_too() -> None:
    V = np.array([Fraction(1, 3), Fraction(0)], dtype=object)
    mdp = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.5).exact()
    fig = plot.enclosure(Solution(V, V, V, Policy([0, 0]), Status.EXACT, "test", mdp))
    assert any("exact" in t.get_text() for t in fig.axes[1].texts)


def test_curves_keep_only_what_a_log_axis_can_show() -> None:
    k = np.arange(5)
    fig = plot.curves(
        [plot.Curve("seen", k, k**2, k**2 - 1, k**2 + 1), plot.Curve("4K", k, 4 * k, kind="bound")],
        x="K",
        y="regret",
        xlog=True,
        ylog=True,
    )
    seen, bound = fig.axes[0].get_lines()
    assert seen.get_xdata().tolist() == [1, 2, 3, 4]
    assert bound.get_linestyle() == "--"


def test_curves_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(InvalidArgument, match="equal lengths"):
        plot.curves([plot.Curve("a", [1, 2], [1])], x="x", y="y")
    with pytest.raises(InvalidArgument, match="nothing to draw"):
        plot.curves([plot.Curve("a", [1, 2], [-1, -2])], x="x", y="y", ylog=True)
    with pytest.raises(InvalidArgument, match="no solution holds residuals"):
        plot.residuals([dataclasses.replace(solution(room(2, 3)), residuals=())])
