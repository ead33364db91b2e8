"""The command line: verdicts, exit codes, saved work, clean errors."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rltheory import cli
from rltheory.checks import certificates

ROOT = Path(__file__).resolve().parents[2]

PAPER = '''
"""Toy claims, one of each fate."""
import os
import time
from dataclasses import dataclass
from fractions import Fraction as F

from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Loose, Mutant, Paper, Tight

PAPER = Paper(key="toy", authors="Nobody", title="Sums of two numbers", year=2020)


@dataclass(frozen=True)
class Pair:
    x: F
    y: F


two = st.builds(Pair, st.fractions(0, 9, max_denominator=50), st.fractions(0, 9, max_denominator=50))

square_sum: Claim[Pair] = Claim(
    statement="(x + y)² ≤ 2x² + 2y²",
    source=PAPER.at("Lemma 1"),
    let=two,
    assume=[],
    then=Leq(lhs=lambda p: (p.x + p.y) ** 2, rhs=lambda p: 2 * p.x**2 + 2 * p.y**2),
    tight=Tight(Pair(F(3), F(3)), within=0.0),
    mutants=[Mutant("constant one", rhs=lambda p: p.x**2 + p.y**2)],
    expect=CERTIFIED,
)

small_squares = Claim(
    statement="n² = Σ of the first n odd numbers, n ≤ 20",
    source=PAPER.at("Lemma 2"),
    let=Every("n ≤ 20", 20, [Pair(F(n), F(0)) for n in range(1, 21)]),
    assume=[],
    then=Eq(lhs=lambda p: p.x**2, rhs=lambda p: sum(2 * k + 1 for k in range(int(p.x)))),
    tight=Tight(Pair(F(3), F(0)), within=0.0),
    mutants=[Mutant("even numbers", rhs=lambda p: sum(2 * k for k in range(int(p.x))))],
    expect=PROVED,
)
'''
FALSE = """
wrong = Claim(
    statement="x + y ≤ 1",
    source=PAPER.at("Lemma 3"),
    let=two,
    assume=[],
    then=Leq(lhs=lambda p: p.x + p.y, rhs=lambda p: F(1)),
    tight=Loose(slack=0.9, reason="toy"),
    mutants=[Mutant("half", rhs=lambda p: F(1, 2))],
    expect=CERTIFIED,
)
"""
SLOW = """
def slow(p):
    time.sleep(0.05)
    return (p.x + p.y) ** 2

slow_square = Claim(
    statement="(x + y)² ≤ 2x² + 2y², slowly",
    source=PAPER.at("Lemma 1"),
    let=two,
    assume=[],
    then=Leq(lhs=slow, rhs=lambda p: 2 * p.x**2 + 2 * p.y**2),
    tight=Tight(Pair(F(3), F(3)), within=0.0),
    mutants=[Mutant("constant one", rhs=lambda p: p.x**2 + p.y**2)],
    expect=CERTIFIED,
)
"""


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of claims, as working directory."""
    for name, text in (("toy_true", PAPER), ("toy_false", PAPER + FALSE), ("toy_slow", PAPER + SLOW)):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "toy_broken.py").write_text("import rltheory\nX = rltheory.no_such_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in list(sys.modules):
        if name.startswith("toy_"):
            del sys.modules[name]


def run(*args: str) -> int:
    return cli.main(list(args))


def shell(*args: str, cwd: Path, **env: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "rltheory", *args],
        cwd=cwd,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **env},
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    """A job started in the background of a script is born deaf to SIGINT, and so are its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# ---- check -------------------------------------------------------------------------------
def test_expected_verdicts_exit_zero(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--package", "toy_true", "--jobs", "1", "--html", "atlas.html") == 0
    out, err = capsys.readouterr()
    assert "toy.square-sum" in out
    assert "2 claims: 1 proved, 1 certified; no surprise" in out
    assert "[2/2] toy.small-squares proved" in err
    atlas = (papers / "atlas.html").read_text(encoding="utf-8")
    assert "Σ of the first n odd" in atlas
    assert next(line for line in out.splitlines() if "no surprise" in line) in atlas  # one time, not two


def test_a_false_claim_is_a_surprise(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--package", "toy_false", "toy.w*", "-q") == 1
    out, err = capsys.readouterr()
    assert out == out.splitlines()[0] + "\n"
    assert "1 refuted; 1 surprise" in out
    assert "REFUTED (expected certified)" in err
    assert "counter-example: Pair(x=" in err


def test_json_is_all_there_is_on_stdout(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--package", "toy_false", "--json") == 1
    rows = json.loads(capsys.readouterr().out)
    assert [r["id"] for r in rows] == ["toy.square-sum", "toy.small-squares", "toy.wrong"]
    assert [r["as_expected"] for r in rows] == [True, True, False]
    assert [r["relation"] for r in rows] == ["≤", "=", "≤"]


def test_workers_reach_the_same_verdicts(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--package", "toy_true", "--json") == 0
    alone = json.loads(capsys.readouterr().out)
    path = os.pathsep.join([str(papers), str(ROOT)])
    with pytest.MonkeyPatch.context() as m:
        m.setenv("PYTHONPATH", path)
        assert run("check", "--package", "toy_true", "--json", "--jobs", "2") == 0
    together = json.loads(capsys.readouterr().out)
    for a, b in zip(alone, together, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {
            k: v for k, v in b.items() if k != "seconds"
        }


def test_verdicts_are_saved_and_resumed(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("check", "--package", "toy_true", "--resume", "--save", "kept")
    assert run(*args) == 0
    assert sorted(p.name for p in (papers / "kept/verdicts").iterdir()) == [
        "toy.small-squares.json",
        "toy.square-sum.json",
    ]
    capsys.readouterr()
    assert run(*args) == 0
    assert "2 claims, 2 of them saved before" in capsys.readouterr().out
    assert run(*args, "--seed", "1") == 0
    assert "saved before" not in capsys.readouterr().out


def test_a_changed_paper_is_checked_again(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rltheory.cli import store

    assert run("check", "--package", "toy_true") == 0
    (papers / "toy_true.py").write_text(PAPER + "\n# changed\n", encoding="utf-8")
    store._digest.cache_clear()
    capsys.readouterr()
    assert run("check", "--package", "toy_true", "--resume") == 0
    assert "saved before" not in capsys.readouterr().out


def test_an_unreadable_verdict_is_no_verdict(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--package", "toy_true") == 0
    for p in (papers / ".rltheory/verdicts").iterdir():
        p.write_text(p.read_text(encoding="utf-8")[:40], encoding="utf-8")
    capsys.readouterr()
    assert run("check", "--package", "toy_true", "--resume") == 0
    assert "saved before" not in capsys.readouterr().out


def test_ctrl_c_keeps_what_is_finished(papers: Path) -> None:
    process = shell("check", "--package", "toy_slow", "--jobs", "1", cwd=papers)
    try:
        deadline = time.monotonic() + 120
        while not (papers / ".rltheory/verdicts/toy.small-squares.json").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted: 2 of 3 verdicts are saved" in err
    assert "Traceback" not in err
    assert "toy.square-sum" in out


# ---- certificates ------------------------------------------------------------------------
def test_certificates_are_verified_and_forgeries_rejected(
    papers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--package", "toy_true", "--certificates", "certs") == 0
    files = sorted(str(p) for p in (papers / "certs").iterdir())
    assert len(files) == 2
    capsys.readouterr()
    assert run("verify", *files) == 0
    assert capsys.readouterr().out.count(": accepted: ") == 2
    forged = json.loads(Path(files[1]).read_text(encoding="utf-8"))
    assert len(forged["instances"][7]["sides"]) == 1
    forged["instances"][7]["sides"][0][1] = ["-1/1", "-1/1"]
    certificates.write_json(forged, "forged.json")
    assert run("verify", "forged.json", files[0], "--json") == 1
    assert [r["accepted"] for r in json.loads(capsys.readouterr().out)] == [False, True]


def test_verify_names_a_missing_file(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "absent.json") == 2
    assert capsys.readouterr().err == "rltheory: error: absent.json: no such certificate file\n"


# ---- list, show, worst -------------------------------------------------------------------
def test_list_knows_globs(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--package", "toy_true", "toy.sq*") == 0
    out = capsys.readouterr().out
    assert out.startswith("toy.square-sum  certified   (x + y)² ≤ 2x² + 2y²")
    assert out.endswith("1 claim of 1 paper\n")
    assert run("list", "--package", "toy_true", "-q") == 0
    assert capsys.readouterr().out == "toy.square-sum\ntoy.small-squares\n"


def test_show_holds_the_code_and_the_last_verdict(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "--package", "toy_true", "toy.square-sum") == 0
    out = capsys.readouterr().out
    assert "no saved verdict" in out
    assert 'mutants=[Mutant("constant one"' in out
    run("check", "--package", "toy_true")
    capsys.readouterr()
    assert run("show", "--package", "toy_true", "toy.square-sum") == 0
    assert "last verdict: certified (n = 100, seed 0" in capsys.readouterr().out
    assert run("show", "--package", "toy_true", "toy.*", "--bibtex") == 0
    assert capsys.readouterr().out.count("@misc{toy,") == 1


def test_worst_reports_the_ratio(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("worst", "--package", "toy_true", "toy.square-sum", "--n", "600", "--plot", "w.png", "--json")
        == 0
    )
    (found,) = json.loads(capsys.readouterr().out)
    assert 0.9 < found["ratio"] <= 1
    assert not found["violates"]
    assert (papers / "w.png").stat().st_size > 5_000
    assert run("worst", "--package", "toy_false", "toy.wrong", "--n", "600") == 1
    assert "VIOLATED" in capsys.readouterr().out


def test_worst_refuses_an_equality(papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("worst", "--package", "toy_true", "toy.small-squares") == 2
    assert "is no inequality" in capsys.readouterr().err


# ---- solve -------------------------------------------------------------------------------
def test_solve_prints_value_bounds_and_arrows(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gymnasium")
    assert run("solve", "gymnasium:FrozenLake-v1", "--map-name", "8x8", "--gamma", "0.99") == 0
    out = capsys.readouterr().out
    assert "V(s = 0) = 0.4146403" in out
    assert re.search(r"^solver   [A-Z]\w+.* \(.+\)$", out, flags=re.MULTILINE)  # which, and why
    assert "\n← ↓ ← ■ ↓ → ↓ G\n" in out


def test_solve_is_exact_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("solve", "gallery:frozen_lake", "--gamma", "0.9", "--exact", "-q")
    assert run(*args) == 0
    assert capsys.readouterr().out == "4348890/63127201\n"
    assert run("solve", "gallery:frozen_lake", "--gamma", "1", "--exact", "-q") == 0
    assert capsys.readouterr().out == "14/17\n"


def test_solve_tells_about_latent_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("solve", "gallery:latent_three") == 0
    out = capsys.readouterr().out
    assert "V* = 31/36" in out
    assert "0, exact" in out
    assert run("solve", "gallery:wait_and_guess?H=8&theta1=0.75", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["lower"] <= 1633 / 2048 <= facts["upper"]
    assert run("solve", "gallery:latent_three", "--plot", "x.png") == 2
    assert "depends on the history" in capsys.readouterr().err


def test_solve_writes_files_that_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npz, table, picture, proof = (str(tmp_path / n) for n in ("a.npz", "a.csv", "a.png", "a.json"))
    model = ("solve", "gallery:river_swim", "--S", "4", "--gamma", "0.9")
    assert run(*model, "--out", npz, "--plot", picture, "--certificate", proof, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert run(*model, "--out", table) == 0
    with np.load(npz, allow_pickle=False) as arrays:
        assert arrays["V"].tolist() == facts["V"]
        assert (arrays["lower"] <= arrays["upper"]).all()
    lines = Path(table).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "state,label,V,lower,upper,action"
    assert [float(ln.split(",")[2]) for ln in lines[1:]] == facts["V"]
    assert Path(picture).stat().st_size > 5_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.json", "a.npz", "a.png"]
    capsys.readouterr()
    assert run("verify", proof) == 0
    assert "4 states enclosed" in capsys.readouterr().out


def test_exact_results_are_written_without_pickle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a.npz")
    assert run("solve", "gallery:frozen_lake", "--gamma", "9/10", "--exact", "--out", out, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["V"][0] == facts["V"][0] == "4348890/63127201"


@pytest.mark.parametrize(
    "name",
    ["value-iteration", "PolicyIteration", "modified_policy_iteration", "linear-program", "topological"],
)
def test_solvers_are_named_freely(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("solve", "gallery:river_swim", "--S", "4", "--gamma", "0.5", "--solver", name, "--tol", "1e-6")
        == 0
    )
    assert "V(s = 0)" in capsys.readouterr().out


def test_an_accuracy_out_of_reach_exits_three(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("solve", "gallery:river_swim", "--S", "4", "--gamma", "0.95", "--tol", "1e-30") == 3
    out, err = capsys.readouterr()
    assert "V(s = 0)" in out
    assert err.startswith("rltheory: not converged: error ≤ ")
    assert "use --exact" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("gallery:no_such", "--gamma", "0.9"), "no_such"),
        (("gallery:river_swim", "--size", "4"), "no parameter 'size'"),
        (("gallery:river_swim", "--gamma", "1.5"), "gamma=3/2 is outside [0, 1]"),
        (("gallery:river_swim", "--gamma", "0.9", "--solver", "magic"), "must be one of value-iteration"),
        (("gallery:river_swim", "--gamma", "0.9", "--out", "v.txt"), "use .npz or .csv"),
        (("gallery:river_swim", "--gamma", "0.9", "--plot", "v.doc"), "use .png"),
        (("gallery:river_swim", "--gamma", "0.9", "--out", "/no/such/folder/v.csv"), "/no/such/folder"),
        (("absent.tra", "--gamma", "0.9"), "absent.tra"),
    ],
)
def test_mistakes_in_solve_are_one_line(
    capsys: pytest.CaptureFixture[str], args: tuple[str, ...], says: str
) -> None:
    assert run("solve", *args) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


# ---- regret ------------------------------------------------------------------------------
def test_regret_prints_a_table_and_the_theorem(capsys: pytest.CaptureFixture[str]) -> None:
    model = ("gallery:river_swim_episodes", "--S", "4", "--H", "10")
    args = (
        "--agent",
        "ucbvi:bonus=bernstein,scale=0.02",
        "--agent",
        "psrl",
        "--episodes",
        "50",
        "--seeds",
        "2",
    )
    assert run("regret", *model, *args, "--bound") == 0
    out = capsys.readouterr().out
    assert "V* = 1.85435" in out and "UCBVI(bonus='bernstein', scale=0.02)" in out
    assert "vacuous: the worst policy loses 92.72" in out and "PSRL: no theorem" in out


def test_regret_writes_json_runs_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--out", str(tmp_path / "r.csv"), "--plot", str(tmp_path / "r.png"))
    model = ("gallery:river_swim", "--S", "4", "--horizon", "10")
    assert run("regret", *model, "--episodes", "40", "--seeds", "3", "--json", *files) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [f["agent"] for f in facts] == ["UCBVI", "BernsteinBonus", "PSRL"]
    assert facts[0]["theorem"] > facts[0]["regret"] > 0 and facts[2]["optimism lost"] == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 1 + 3 * 3 * 40
    assert (tmp_path / "r.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("gallery:sticky", "--agent", "ucb"), "'ucb': no such agent"),
        (("gallery:sticky", "--agent", "mvp:scle=1"), "'scle=1' is no setting of MVP"),
        (("gallery:sticky", "--agent", "random:c=1"), "it has none"),
        (("gallery:sticky", "--agent", "ucbvi:delta=2"), "delta=2 is outside (0, 1)"),
        (("gallery:sticky", "--horizon", "3"), "has its own, H=8"),
        (("gallery:river_swim",), "add --horizon H"),
        (("gallery:homeostasis",), "OutcomeMDP"),
        (("gallery:river_swim_episodes", "--vmax", "1"), "more than vmax=1"),
        (("gallery:sticky", "--out", "r.txt"), "write a .csv"),
        (("gallery:sticky", "--plot", "r.doc"), "use .png"),
    ],
)
def test_mistakes_in_regret_are_one_line(
    capsys: pytest.CaptureFixture[str], args: tuple[str, ...], says: str
) -> None:
    assert run("regret", *args) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


# ---- mistakes ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("check", "--package", "toy_true", "toy.sqare-sum"), "nearest: toy.square-sum"),
        (("check", "--package", "no_such_package"), "'no_such_package' cannot be imported"),
        (("check", "--package", "toy_broken"), "toy_broken.py:2: AttributeError"),
    ],
)
def test_mistakes_are_one_line(
    papers: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], says: str
) -> None:
    assert run(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("check", "--n", "49"), "49, must be at least 50"),
        (("check", "--n", "many"), "not a whole number"),
        (("check", "--jbos", "2"), "unrecognised arguments: --jbos"),
        (("solve", "gallery:maze", "--gamma", "1/0"), "not a number; write 0.99 or 99/100"),
        (("solve", "gallery:maze", "--tol", "-1"), "must be a positive number"),
        ((), "required: VERB"),
    ],
)
def test_usage_errors_exit_two(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], says: str) -> None:
    with pytest.raises(SystemExit) as stop:
        run(*args)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_a_closed_pipe_is_no_error(papers: Path) -> None:
    process = shell("list", "--package", "toy_true", cwd=papers)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert process.wait(timeout=60) in (0, 141)


def test_colours_only_where_wanted(papers: Path) -> None:
    pytest.importorskip("pty")
    assert "\x1b[" in on_a_terminal(papers, "check", "--package", "toy_true", TERM="xterm")
    plain = on_a_terminal(papers, "check", "--package", "toy_true", TERM="xterm", NO_COLOR="1")
    assert "\x1b[1;32m" not in plain
    assert "\x1b[32m" not in plain
    assert "toy.square-sum" in plain


def on_a_terminal(cwd: Path, *args: str, **env: str) -> str:
    """Output of a command run on a pseudo-terminal."""
    import pty

    parent, child = pty.openpty()
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    keep = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rltheory", *args],
        cwd=cwd,
        stdin=child,
        stdout=child,
        stderr=child,
        env={**keep, "PYTHONPATH": path, **env},
    )
    os.close(child)
    out = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    assert process.wait(timeout=60) == 0
    os.close(parent)
    return out.decode("utf-8", "replace")
