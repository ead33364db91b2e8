"""The benchmark harness: instances, adapters, the worker's protocol, tables.  Times are never compared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from benchmarks import counts, meter, reference, runner, table, worker
from benchmarks.adapters import Adapter, Answer, Unsuitable, find, registry
from benchmarks.command import main
from benchmarks.families import FAMILIES, SIZES, SPECS, select
from benchmarks.instance import Instance
from rltheory.cli import main as cli

TINY = {spec.family: spec for spec in SPECS if spec.size == "tiny"}
ADAPTERS = registry()
WRONG = {"pymdptoolbox-mpi"}
"""Peers that do not reach the accuracy at any setting on some tiny instance; see docs/benchmarks.md."""


@pytest.fixture(scope="module")
def tiny() -> dict[str, Instance]:
    return {family: spec.build() for family, spec in TINY.items()}


# ---- instances ---------------------------------------------------------------------------
def test_every_family_has_a_tiny_instance_and_names_are_unique() -> None:
    assert tuple(TINY) == FAMILIES
    assert len({spec.name for spec in SPECS}) == len(SPECS)
    assert {spec.size for spec in SPECS} == set(SIZES)
    assert [s.name for s in select(["maze"], ["large"])] == ["maze 1e6 γ=.999"]
    with pytest.raises(ValueError, match="family='mace'"):
        select(["mace"])


@pytest.mark.parametrize("family", FAMILIES)
def test_instances_survive_the_disk_and_are_the_model(
    family: str, tmp_path: Path, tiny: dict[str, Instance]
) -> None:
    x = Instance.load(tiny[family].save(tmp_path / "here"))
    mdp = TINY[family].make()
    assert Instance.of(mdp, x.name).data.tolist() == x.data.tolist()
    assert (x.S, x.A, x.N, x.gamma, x.dense) == (mdp.S, mdp.A, mdp.N, mdp.gamma, mdp.layout == "dense")
    V = np.random.default_rng(0).normal(size=x.S)
    assert np.allclose(x.backup(V), rl.bellman(mdp)(V), rtol=0, atol=1e-12)
    Q, R = x.dense_arrays()
    assert np.allclose(np.nanmax(R + x.gamma * (Q @ V), axis=1), x.backup(V), rtol=0, atol=1e-12)
    pairs = x.padded()
    assert np.allclose((x.R + x.gamma * (x.matrix() @ V))[pairs].max(axis=1), x.backup(V), rtol=0, atol=1e-12)


def test_the_check_sees_small_errors_and_nonsense(tiny: dict[str, Instance], monkeypatch: Any) -> None:
    x = tiny["garnet"]
    V = rl.solve(TINY["garnet"].make(), rl.PolicyIteration()).V
    assert x.certificate(V) < 1e-11
    off = V.copy()
    off[3] += 1e-6
    assert 9e-7 / (1 - x.gamma) < x.certificate(off) < 1.1e-6 / (1 - x.gamma)
    bad = V.copy()
    bad[0] = np.nan
    assert x.certificate(bad) == x.certificate(V[1:]) == float("inf")
    monkeypatch.setattr("benchmarks.instance.CHUNK", 7)
    assert x.certificate(off) == pytest.approx(1e-6 / (1 - x.gamma), rel=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_references_hold_the_exact_values_and_see_every_error(family: str, tmp_path: Path) -> None:
    mdp = TINY[family].make()
    x = Instance.of(mdp, family)
    assert x.reference is None
    reference.build(x, mdp).save(x.save(tmp_path / "here"))
    x = Instance.load(tmp_path / "here")
    assert x.reference is not None and x.reference.radius < 1e-9
    exact = rl.solve(mdp.exact()).V
    high, low = (rl.exact_array(v) for v in (x.reference.high, x.reference.low))
    assert max(abs(high + low - exact)) <= x.reference.radius
    V = np.array([float(v) for v in exact])
    off = V + 1e-5 * np.sin(np.arange(x.S))
    truth = float(max(abs(rl.exact_array(off) - exact)))
    assert truth <= x.error(off) <= truth + 2 * x.reference.radius + 1e-15
    assert x.error(V[1:]) == x.error(np.full(x.S, np.nan)) == float("inf")


def test_a_poor_start_is_improved_and_never_believed(monkeypatch: Any) -> None:
    mdp = TINY["riverswim"].make()
    x, exact = Instance.of(mdp, "x"), rl.solve(mdp).V
    monkeypatch.setattr(reference, "CHUNK", 7)
    far = reference.reference(x, np.zeros(x.S))
    assert np.abs(exact).max() <= far.radius < np.inf
    near = reference.reference(x, exact + 1e-3 * np.sin(np.arange(x.S)), reference.evaluate_rows)
    assert near.radius < 1e-9 and near.distance(exact) < 1e-8
    lost = reference.reference(x, exact + 1e-3, lambda *_: np.full(x.S, 1e9))
    assert lost.radius >= 1e-3


# ---- adapters ----------------------------------------------------------------------------
def job(x: Instance, folder: Path, **options: Any) -> worker.Job:
    here = str(x.save(folder / "instance"))
    return worker.Job(instance=here, warm=here, solver="x", out=str(folder / "out.json"), **options)


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_every_adapter_passes_the_check_on_every_family(
    name: str, tiny: dict[str, Instance], tmp_path: Path, monkeypatch: Any
) -> None:
    adapter = ADAPTERS[name]
    if not adapter.installed:
        pytest.skip(f"{adapter.package} is not installed")
    adapter.prepare()
    monkeypatch.setattr(adapter, "loosens", False)
    found = {}
    for family, x in tiny.items():
        report = worker.Report(str(tmp_path / "out.json"))
        trial = worker.Trial(job(x, tmp_path, budget=1e9), adapter, x, report)
        try:
            status, power = trial.settle()
        except Unsuitable as exc:
            found[family] = f"unsuitable: {exc}"
            continue
        error = next(t["error"] for t in reversed(trial.tried) if t["power"] == power)
        assert (status == "ok") == (error <= 1e-6)
        found[family] = status
    if name in WRONG:
        assert "inaccurate" in found.values()
    else:
        assert set(found.values()) == {"ok"}


def test_a_peer_is_found_without_importing_rltheory() -> None:
    code = (
        "import sys; from benchmarks.adapters import find; find('scipy-vi'); print('rltheory' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=meter.ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"
    assert find("rltheory").name == "rltheory"


# ---- the worker --------------------------------------------------------------------------
class Fake(Adapter):
    """Returns V* + distance(eps)."""

    name = "fake"

    def __init__(self, distance: Any, **attributes: Any) -> None:
        self.distance, self.loads, self.asked = distance, 0, []
        self.__dict__.update(attributes)

    def load(self, x: Instance) -> Any:
        self.loads += 1
        return x

    def solve(self, model: Instance, eps: float) -> Answer:
        self.asked.append(round(np.log10(eps)))
        V = rl.solve(TINY["dense"].make(), rl.PolicyIteration()).V
        return Answer(V + self.distance(eps), {"iterations": 3})


def outcome(adapter: Adapter, tiny: dict[str, Instance], tmp_path: Path, **options: Any) -> dict[str, Any]:
    report = worker.run(job(tiny["dense"], tmp_path, repeats=2, **options), adapter)
    assert json.loads((tmp_path / "out.json").read_text()) == report
    return report


def test_settings_are_tightened_until_the_values_pass(tiny: dict[str, Instance], tmp_path: Path) -> None:
    sloppy = Fake(lambda eps: 900 * eps)
    report = outcome(sloppy, tiny, tmp_path)
    assert (report["status"], report["eps"]) == ("ok", 1e-9)
    assert [t["power"] for t in report["tried"]] == [-6, -7, -8, -9]
    assert report["error"] <= 1e-6
    assert report["solve"]["repeats"] == 2


def test_settings_are_loosened_while_the_values_pass(tiny: dict[str, Instance], tmp_path: Path) -> None:
    careful = Fake(lambda eps: 0.009 * eps)
    assert outcome(careful, tiny, tmp_path)["eps"] == pytest.approx(1e-4)
    as_it_comes = Fake(lambda eps: 0.009 * eps, loosens=False)
    assert outcome(as_it_comes, tiny, tmp_path)["eps"] == pytest.approx(1e-6)


def test_what_cannot_be_reached_is_said(tiny: dict[str, Instance], tmp_path: Path) -> None:
    stuck = outcome(Fake(lambda eps: 0.5), tiny, tmp_path)
    assert stuck["status"] == "inaccurate"
    assert stuck["error"] == pytest.approx(0.5, rel=0.2)
    assert len(stuck["tried"]) == 3
    assert outcome(Fake(lambda eps: 0.5, tunable=False), tiny, tmp_path)["status"] == "inaccurate"
    assert outcome(Fake(lambda eps: np.nan), tiny, tmp_path)["status"] == "inaccurate"
    late = outcome(Fake(lambda eps: 900 * eps), tiny, tmp_path, budget=0.0)
    assert late["status"] == "out of time"

    def breaks(eps: float) -> float:
        raise RuntimeError("two\nlines")

    assert outcome(Fake(breaks), tiny, tmp_path)["status"] == "failed: RuntimeError: two lines"
    assert outcome(Fake(0, module="no_such_module_at_all"), tiny, tmp_path)["status"] == "not installed"
    big = Fake(0)
    big.load = lambda x: (_ for _ in ()).throw(Unsuitable("too large"))  # type: ignore[method-assign]
    assert outcome(big, tiny, tmp_path)["status"] == "unsuitable: too large"


def test_solvers_that_remember_get_a_new_model_each_time(tiny: dict[str, Instance], tmp_path: Path) -> None:
    for fresh in (True, False):
        adapter = Fake(lambda eps: 0.0, fresh=fresh, tunable=False)
        outcome(adapter, tiny, tmp_path)
        assert adapter.loads == (len(adapter.asked) if fresh else 2)  # 2: the warm-up's and the timed one


# ---- the runner --------------------------------------------------------------------------
def test_one_process_from_end_to_end(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "r.json"
    options = ["--size", "tiny", "--family", "dag", "--solver", "scipy-vi", "--repeats", "1", "-q"]
    assert main([*options, "--out", str(out), "--plot", str(tmp_path / "r.png")]) == 0
    result = json.loads(out.read_text())
    (row,) = result["rows"]
    assert (row["status"], row["facts"]["iterations"], row["family"]) == ("ok", 9, "dag")
    assert row["error"] <= 1e-6
    assert (tmp_path / "r.png").stat().st_size > 1000
    assert "layered DAG 41" in capsys.readouterr().out
    assert main(["table", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == result["rows"]


def test_a_process_that_spins_is_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    assert not runner._finished(process, 0.5)
    assert process.returncode == -9
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"], start_new_session=True)
    assert runner._finished(process, 30)
    assert process.returncode == 3


def test_a_crash_is_a_row(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\nSegmentation fault\n")
    assert runner._fate(-11, False, log, {}) == "failed: exit -11: Segmentation fault"
    assert runner._fate(-9, True, log, {}) == "out of time"
    assert runner._fate(-9, True, log, {"status": "ok"}) == "ok"  # it was certified; only repeats are missing


def test_solvers_are_chosen_by_pattern() -> None:
    assert runner.choose([], peers=False, paths=False) == ["rltheory"]
    assert runner.choose(["scipy-*"], peers=False, paths=False) == ["scipy-vi", "scipy-pi", "scipy-ipi"]
    everything = runner.choose([], peers=True, paths=True)
    assert set(everything) == set(ADAPTERS)
    with pytest.raises(ValueError, match="solver='stormy'"):
        runner.choose(["stormy"], peers=False, paths=False)


def test_merging_keeps_what_was_not_measured_again() -> None:
    def row(instance: str, solver: str, cpu: float) -> dict[str, Any]:
        return {"instance": instance, "solver": solver, "cpu": cpu}

    old = {"rows": [row("maze 36", "a", 1), row("maze 36", "b", 1)]}
    new = {"note": "x", "rows": [row("maze 36", "b", 2), row("dense S=6", "b", 3)]}
    merged = runner.merge(old, new)
    assert merged["note"] == "x"
    assert [(r["instance"], r["solver"], r["cpu"]) for r in merged["rows"]] == [
        ("dense S=6", "b", 3),
        ("maze 36", "a", 1),
        ("maze 36", "b", 2),
    ]


# ---- tables ------------------------------------------------------------------------------
def made(instance: str, solver: str, cpu: float | None, status: str = "ok") -> dict[str, Any]:
    row = {"instance": instance, "solver": solver, "status": status, "family": "maze", "S": 9, "nnz": 99}
    stream = {"triad": 20.0, "read": 30.0, "read_16MB": 50.0, "read_256kB": 80.0}
    extra = {"stream": stream} if solver == "rltheory" else {}
    timed = {"solve": {"cpu": cpu}} if cpu is not None else {}
    return {**row, **extra, **timed, "backup_bytes": 8000}


def test_losses_and_failures_are_in_the_table() -> None:
    rows = [
        made("a", "rltheory", 1.0),
        made("a", "rltheory:best", 0.5),
        made("a", "p", 3.0),
        made("a", "q", 1e-9, "inaccurate"),  # fast and wrong does not count
        made("b", "rltheory", 1.0),
        made("b", "p", 0.25),
        made("c", "rltheory", 1.0),
        made("c", "p", None, "out of time"),
        made("d", "rltheory", 1.0, "inaccurate"),
        made("d", "p", 1.0),
        made("e", "rltheory", 1.0),
        made("e", "p", None, "not installed"),
    ]
    a, b, c, d, e = table.summary(rows)
    assert (a["peer"], a["gain"], a["choice"]) == ("p", 3.0, 2.0)
    assert a["fates"] == {"wrong": 1, "refused": 0, "late": 0}
    assert a["backups"] == pytest.approx(1.0 / (8000 / 80e9))
    assert (b["gain"], c["gain"], c["peer"], d["ours"]) == (0.25, None, None, None)
    assert e["peers"] == 0
    text = table.summary_table(rows)
    assert "**0.25×**" in text
    assert "**inaccurate**" in text
    assert text.count("no peer finished") == 1
    said = table.verdict(rows)
    assert said.startswith("Ahead of every peer on 2 of 4 instances.")
    assert "Behind on b (4× slower than p)." in said
    assert "No peer reached the accuracy on c." in said
    assert "not certified on d (inaccurate)" in said
    assert table.mean_gain(rows) == pytest.approx((3 * 0.25) ** 0.5)


def test_choice_is_compared_with_every_path() -> None:
    rows = [
        made("a", "rltheory", 1.0),
        made("a", "rltheory:best", 0.5),
        made("a", "rltheory:other", 0.6),
        made("a", "rltheory:hasty", 0.1, "inaccurate"),
        made("a", "rltheory:slow", None, "out of time"),
        made("b", "rltheory", 1.2),
        made("b", "rltheory:best", 1.0),
        made("c", "rltheory", 1.0),
    ]
    text = table.paths_table(rows)
    assert "| best | **2.00** | other 600 ms | hasty | slow |" in text.replace("best,", "")
    assert "1.20" in text and "| c |" not in text
    assert table.choice_verdict(rows) == (
        "`solve` is within 1.3× of the best path on 1 of 2 instances; not on a (2.00×, best)."
    )


def test_silent_errors_and_refusals_are_listed() -> None:
    rows = [
        {**made("a", "p", 1.0), "tried": [{"error": 3e-2}, {"error": 1e-7}]},
        {**made("b", "p", 1.0), "tried": [{"error": 1e-7}]},
        {**made("a", "rltheory", 1.0), "tried": [{"error": 1.0}]},
        made("a", "q", None, "unsuitable: too | large"),
        made("b", "q", None, "unsuitable: too | large"),
        made("b", "r", None, "not installed"),
    ]
    assert "| p | 1 of 2 | 3.0e-02 | a |" in table.silent_table(rows)
    assert "rltheory" not in table.silent_table(rows)
    assert "| q | unsuitable: too / large | a, b |" in table.failures(rows)
    assert [table.kind(r) for r in rows] == ["ok", "ok", "ok", "refused", "refused", "absent"]


def test_numbers_are_readable() -> None:
    assert [table.seconds(x) for x in (2.0, 0.25, 3.14159e-5, 1e-9, None)] == [
        "2 s", "250 ms", "31.4 µs", "0.001 µs", "",
    ]  # fmt: skip
    assert [table.ratio(x) for x in (0.031, 2.345, 38.4, None)] == ["0.031×", "2.3×", "38×", ""]


# ---- counts ------------------------------------------------------------------------------
@pytest.mark.parametrize("family", FAMILIES)
def test_no_more_work_than_recorded(family: str) -> None:
    old = counts.recorded()
    row = counts.count(TINY[family])
    assert row["residual"] <= 1e-6
    assert not counts.judge(row, old.get(counts.key(row))).startswith("worse")


def test_more_work_is_worse() -> None:
    old = {"solver": "S", "status": "SOLVED", "backups": 100, "evaluations": 0}
    assert counts.judge(old, old) == "same"
    assert counts.judge({**old, "backups": 112}, old) == "worse: 100 backups before"
    assert counts.judge({**old, "evaluations": 2}, old) == "worse: 0 evaluations before"
    assert counts.judge({**old, "rows": 112}, {**old, "rows": 100}) == "worse: 100 rows before"
    assert counts.judge({**old, "rows": 112}, old) == "same"  # not counted then
    assert counts.judge({**old, "status": "STALLED"}, old) == "worse: STALLED"
    assert counts.judge({**old, "backups": 50}, old) == "better"
    assert counts.judge({**old, "solver": "T", "backups": 900}, old) == "changed: S before"
    assert counts.judge(old, None) == "new"


# ---- the other parts and the command line ------------------------------------------------
def test_small_and_bandwidth_rows_have_numbers(monkeypatch: Any) -> None:
    from benchmarks import bandwidth, small, stream

    assert stream.read(1 << 12, repeats=1) > 0
    monkeypatch.setattr(stream, "read", lambda nbytes=0: 30.0)
    monkeypatch.setattr(stream, "triad", lambda nbytes=0: 20.0)

    args = SimpleNamespace(repeats=1, family=["dag"], size=["tiny"], instance=None, full=False)
    (row,) = small.horizon(1, B=2, H=3) if small._named(small.HORIZON) else small.horizon(1, H=3)
    assert row["µs each"] > 0
    found = bandwidth.measure(args)["table"]
    assert {r["kernel"] for r in found} >= {"backup", "gauss_seidel", "certificate"}
    assert all(np.isfinite(r["% of STREAM"]) and r["% of STREAM"] > 0 for r in found)


def test_the_command_line_hands_over(capsys: Any, monkeypatch: Any) -> None:
    assert cli(["bench", "list"]) == 0
    assert "maze 1e6" in capsys.readouterr().out
    assert cli(["bench", "--family", "mace"]) == 2
    assert "family='mace'" in capsys.readouterr().err
    assert cli(["bench", "--instance", "nothing"]) == 2
    assert cli(["bench", "table"]) == 2
    assert cli(["bench", "table", "no-such-file.json"]) == 2
    capsys.readouterr()
    monkeypatch.setattr("rltheory.cli.benching.__file__", "/nowhere/rltheory/cli/benching.py")
    assert cli(["bench", "list"]) == 2
    assert "clone the repository" in capsys.readouterr().err


def test_regret_rows_have_numbers(monkeypatch: Any) -> None:
    from benchmarks import regret, stream

    monkeypatch.setattr(stream, "LEAST", 1e5)
    monkeypatch.setattr(regret, "EPISODES", 20)
    found = regret.learners(3, 4, 1, "/no/such/python")
    assert len(found) == len(regret.agents())
    assert all(row["µs an episode"] > 0 for row in found)
    with pytest.raises(ValueError, match="regret has small, medium"):
        regret.measure(SimpleNamespace(size=["huge"], repeats=1, python=""))


def test_stock_rows_have_numbers(monkeypatch: Any) -> None:
    from benchmarks import stock, stream

    monkeypatch.setattr(stream, "read", lambda nbytes=0: 30.0)
    monkeypatch.setitem(stock.SIZES, "small", ((2, 2, 2, 11),))
    found = stock.kernels((2, 2, 2, 11), 1)
    assert [r["kernel"] for r in found][:2] == ["lattice backup", "interpolated backup"]
    assert all(np.isfinite(r["ns"]) and r["ns"] > 0 and r["% of cache reads"] > 0 for r in found)
    with pytest.raises(ValueError, match="stock has small, medium"):
        stock.measure(SimpleNamespace(size=["huge"], repeats=1))
