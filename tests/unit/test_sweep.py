"""Sweeps: rows, executors, and stores that survive kill −9, damage, two writers and changed code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidFile
from rltheory.reports import _store
from rltheory.reports.sweep import SweepTable

ROOT = Path(__file__).resolve().parents[2]


def add(n, seed):
    return {"sum": n + seed}


def fragile(n, seed):
    if n == 2 and seed == 1:
        raise ValueError("two and one do not go together")
    return n * seed


def dies(n):
    os._exit(3)


@dataclass(frozen=True)
class Agent:
    bonus: float

    def act(self):
        return self.bonus


def plays(agent, model, seed):
    return {"reward": agent.act() * model.S}


def test_one_row_a_run_in_the_order_of_the_grid():
    table = rl.sweep(add, over={"n": [3, 1]}, seeds=[7, 5])
    assert [(r["n"], r["seed"], r["sum"]) for r in table] == [(3, 7, 10), (3, 5, 8), (1, 7, 8), (1, 5, 6)]
    assert isinstance(table, SweepTable)
    assert table.names == ["n", "seed", "sum", "status", "error", "seconds"]
    assert table["sum"] == [10, 8, 8, 6]
    assert table.where(n=1)["sum"] == [8, 6]
    assert list(table.to_dataframe()["sum"]) == [10, 8, 8, 6]
    assert "4 runs" in str(table)
    assert "<td>10</td>" in table._repr_html_()


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors_agree_with_a_loop(pool):
    with pool(2) as executor:
        table = rl.sweep(add, over={"n": range(6)}, seeds=4, executor=executor)
    assert table["sum"] == rl.sweep(add, over={"n": range(6)}, seeds=4)["sum"]


def test_an_executor_that_is_only_a_submit():
    """What a Dask client offers: futures with result and add_done_callback, called from another thread."""

    class Thin:
        def __init__(self):
            self.pool = ThreadPoolExecutor(2)

        def submit(self, fn, *args):
            return self.pool.submit(fn, *args)

    assert rl.sweep(add, over={"n": range(5)}, seeds=3, executor=Thin())["sum"][:4] == [0, 1, 2, 1]


def test_instances_and_agents_are_values_with_names(tmp_path):
    models = {"small": rl.gallery.river_swim(S=3, gamma=0.9), "large": rl.gallery.river_swim(S=6, gamma=0.9)}
    agents = [Agent(0.5), Agent(2.0)]
    store = tmp_path / "runs.sqlite"
    table = rl.sweep(plays, over={"model": models, "agent": agents}, seeds=2, store=store)
    assert table.column("model")[::4] == ["small", "large"]
    assert table["reward"][:3] == [1.5, 1.5, 6.0]
    assert rl.sweep(plays, over={"model": models, "agent": agents}, seeds=2, store=store).reused == 8
    agents[1] = Agent(3.0)
    assert rl.sweep(plays, over={"model": models, "agent": agents}, seeds=2, store=store).reused == 4


def test_results_of_every_kind_come_back_the_same(tmp_path):
    def kinds(n):
        return {
            "fraction": Fraction(1, 3),
            "nan": float("nan"),
            "inf": -np.inf,
            "array": np.array([[0.1, np.pi], [1.0, np.inf]]),
            "ints": np.arange(3),
            "text": "é\n",
            "flag": np.bool_(True),
            "none": None,
            "list": [1, Fraction(2, 7)],
        }

    for _ in range(2):
        table = rl.sweep(kinds, over={"n": [0]}, store=tmp_path / "s")
        row = table.rows[0]
        assert row["fraction"] == Fraction(1, 3)
        assert np.isnan(row["nan"])
        assert row["inf"] == -np.inf
        np.testing.assert_array_equal(row["array"], kinds(0)["array"])
        assert row["ints"].dtype.kind == "i"
        assert (row["text"], row["flag"], row["none"], row["list"]) == (
            "é\n",
            True,
            None,
            [1, Fraction(2, 7)],
        )
    assert table.reused == 1


# ---- failures ------------------------------------------------------------------------------
@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor, ProcessPoolExecutor])
def test_a_failing_run_is_a_row_and_the_others_go_on(pool, tmp_path):
    executor = None if pool is None else pool(2)
    with pytest.warns(UserWarning, match="1 run of 9 failed.*n=2, seed=1.*two and one"):
        table = rl.sweep(fragile, over={"n": [1, 2, 3]}, seeds=3, executor=executor, store=tmp_path / "s")
    (bad,) = table.failed
    assert (bad["n"], bad["seed"], bad["status"]) == (2, 1, "failed")
    assert "ValueError: two and one" in bad["error"]
    assert [r["value"] for r in table if r["status"] == "done"] == [0, 1, 2, 0, 4, 0, 3, 6]
    with pytest.warns(UserWarning, match="failed"):
        assert rl.sweep(fragile, over={"n": [1, 2, 3]}, seeds=3, store=tmp_path / "s").reused == 9
    with pytest.warns(UserWarning, match="failed"):
        assert rl.sweep(fragile, over={"n": [1, 2, 3]}, seeds=3, store=tmp_path / "s", retry=True).reused == 8


def test_a_result_that_cannot_be_stored_is_a_failed_run():
    with pytest.warns(UserWarning, match="is of type object"):
        rl.sweep(lambda n: object(), over={"n": [1]})
    with pytest.warns(UserWarning, match="'n' is taken"):
        rl.sweep(lambda n: {"n": 2}, over={"n": [1]})


def test_a_broken_executor_is_said_aloud():
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(RuntimeError, match=r"did not run the function.*2 of 2"),
    ):
        rl.sweep(dies, over={"n": [1, 2]}, executor=pool)
    with ProcessPoolExecutor(1) as pool, pytest.raises(RuntimeError, match=r"[Pp]ickl"):
        rl.sweep(lambda n: n, over={"n": [1]}, executor=pool)


@pytest.mark.parametrize(
    ("over", "seeds", "says"),
    [
        ({"n": []}, 1, "is empty"),
        ({"n": 3}, 1, "must be a list"),
        ({"n": "abc"}, 1, "must be a list"),
        ({"n": [1, 1]}, 1, "equal values"),
        ({"n": [1]}, [2, 2], "must be distinct"),
        ({"n": [1]}, [], "at least one"),
        ({"seed": [1]}, 1, "give seeds="),
        ({"error": [1]}, 1, "rename it"),
        ({"n": [object()]}, 1, "no content"),
        ({"n": [1]}, [0.5, 1.5], "must be integers"),
        ({"n": [1]}, True, "seeds=True, must be integers"),
        ([1], 1, "over is a list"),
    ],
)
def test_refusals(over, seeds, says):
    with pytest.raises(InvalidArgument, match=says):
        rl.sweep(add, over=over, seeds=seeds)


def test_rows_are_chosen_by_arrays_too():
    table = rl.sweep(lambda n: {"path": np.arange(n)}, over={"n": [2, 3]})
    assert table.where(path=np.arange(3))["n"] == [3]
    assert len(table.where(path=2)) == 0


def test_what_cannot_be_called_is_refused():
    with pytest.raises(InvalidArgument, match="fn=3 cannot be called"):
        rl.sweep(3, over={"n": [1]})
    with pytest.raises(InvalidArgument, match=r"executor=3 has no \.submit"):
        rl.sweep(add, over={"n": [1]}, seeds=1, executor=3)
    assert rl.sweep(add, over={"n": [1]}, seeds=np.int64(2))["seed"] == [0, 1]


# ---- changed code and values ------------------------------------------------------------------
SCRIPT = """
    import rltheory as rl
    {helper}
    def f(n, seed):
        {body}
    table = rl.sweep(f, over={{"n": [1, 2]}}, seeds=2, store={store!r})
    print(table.reused, table["value"])
"""


def script(store, body="return shift + n * seed", helper="shift = 10"):
    text = textwrap.dedent(SCRIPT).format(store=str(store), body=body, helper=helper)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=env, check=True)
    return out.stdout.strip(), out.stderr


def test_changed_code_never_reuses_rows(tmp_path):
    store = tmp_path / "s"
    assert script(store) == ("0 [10, 11, 10, 12]", "")
    assert script(store)[0].startswith("4 ")
    assert script(store, body="return shift + n * seed  # a comment")[0].startswith("4 ")
    out, err = script(store, body="return shift - n * seed")
    assert out == "0 [10, 9, 10, 8]"
    assert "4 runs in s belong to other code" in err
    out, err = script(store, helper="shift = 20")
    assert (out, "other code" in err) == ("0 [20, 21, 20, 22]", False) or out.startswith("0 [20")
    called = "def shift_by(k):\n    return {} * k\nshift = 0"
    assert script(store, "return shift_by(n)", called.format(2))[0] == "0 [2, 2, 4, 4]"
    assert script(store, "return shift_by(n)", called.format(3))[0] == "0 [3, 3, 6, 6]"
    assert script(store)[0] == "4 [10, 11, 10, 12]"  # the first code is still known


def test_closures_defaults_and_partials_count(tmp_path):
    from functools import partial

    def make(k):
        return lambda n: n + k

    def with_default(n, k=1):
        return n * k

    store = tmp_path / "s"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fn, expected in [(make(1), 2), (make(2), 3), (with_default, 1), (partial(with_default, k=5), 5)]:
            table = rl.sweep(fn, over={"n": [1]}, store=store)
            assert (table.reused, table["value"]) == (0, [expected])
        assert rl.sweep(partial(with_default, k=5), over={"n": [1]}, store=store).reused == 1
        assert rl.sweep(partial(with_default, k=6), over={"n": [1]}, store=store).reused == 0


# ---- kill −9 ----------------------------------------------------------------------------------
WORKER = """
    import os, time
    from concurrent.futures import ThreadPoolExecutor
    import rltheory as rl

    def work(n, seed):
        time.sleep({pause})
        with open({log!r}, "a") as f:
            f.write(f"{{n}} {{seed}}\\n")
        return {{"product": n * seed}}

    table = rl.sweep(work, over={{"n": list(range(10))}}, seeds=6, store={store!r}, executor={executor})
    print(table.reused, sum(table["product"]))
"""


def start(tmp_path, pause=0.04, executor="None"):
    text = textwrap.dedent(WORKER).format(
        log=str(tmp_path / "log"), store=str(tmp_path / "runs.sqlite"), pause=pause, executor=executor
    )
    (tmp_path / "work.py").write_text(text)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, tmp_path / "work.py"], stdout=subprocess.PIPE, text=True, env=env
    )


def stored(tmp_path):
    if not (tmp_path / "runs.sqlite").exists():
        return 0
    try:
        with sqlite3.connect(tmp_path / "runs.sqlite", timeout=10) as db:
            return db.execute("SELECT count(*) FROM runs").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize("executor", ["None", "ThreadPoolExecutor(3)"])
def test_a_killed_sweep_goes_on_with_nothing_lost_or_repeated(tmp_path, executor):
    pause = 0.03 if executor == "None" else 0.09
    process = start(tmp_path, pause, executor)
    deadline = time.monotonic() + 60
    while stored(tmp_path) < 8 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = stored(tmp_path)
    assert 8 <= kept < 60
    (tmp_path / "log").write_text("")
    process = start(tmp_path, pause, executor)
    out, _ = process.communicate(timeout=60)
    reused, total = map(int, out.split())
    assert (reused, total) == (kept, sum(range(10)) * sum(range(6)))
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 60 - kept
    out, _ = start(tmp_path, pause, executor).communicate(timeout=60)
    assert int(out.split()[0]) == 60


def test_two_sweeps_share_one_store(tmp_path):
    pair = [start(tmp_path), start(tmp_path)]
    outs = [p.communicate(timeout=120)[0] for p in pair]
    assert [int(o.split()[1]) for o in outs] == [675, 675]
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 60  # each run once, in one process or the other


def test_one_killed_of_two_leaves_its_locks(tmp_path):
    first, second = start(tmp_path, pause=0.03), start(tmp_path, pause=0.03)
    deadline = time.monotonic() + 60
    while stored(tmp_path) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    first.kill()
    first.communicate()
    out, _ = second.communicate(timeout=60)
    assert int(out.split()[1]) == 675
    assert stored(tmp_path) == 60


def test_a_store_that_another_process_makes_meanwhile(tmp_path, monkeypatch):
    """Between two looks at an empty file the other process writes its tables, if nothing holds it up."""
    monkeypatch.setattr(_store, "PATIENCE", 0.05)
    real = sqlite3.connect

    class Late(sqlite3.Connection):
        def execute(self, sql, *rest):
            if "sqlite_master" in sql:
                sqlite3.connect = real
                with contextlib.suppress(InvalidFile):
                    _store.RunStore(tmp_path / "s")
            return super().execute(sql, *rest)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Late))
    mine = _store.RunStore(tmp_path / "s")
    assert mine.get("no such key") is None


# ---- damage -----------------------------------------------------------------------------------
def test_a_torn_or_forged_record_is_run_again(tmp_path):
    store = tmp_path / "s"
    rl.sweep(add, over={"n": [1, 2]}, seeds=2, store=store)
    with sqlite3.connect(store) as db:
        keys = [k for (k,) in db.execute("SELECT key FROM runs ORDER BY key")]
        db.execute("UPDATE runs SET row = substr(row, 1, 20) WHERE key = ?", (keys[0],))
        (text,) = db.execute("SELECT row FROM runs WHERE key = ?", (keys[1],)).fetchone()
        forged = json.loads(text)
        forged["results"]["sum"] = 99
        db.execute("UPDATE runs SET row = ? WHERE key = ?", (json.dumps(forged), keys[1]))
    table = rl.sweep(add, over={"n": [1, 2]}, seeds=2, store=store)
    assert (table.reused, table["sum"]) == (2, [1, 2, 2, 3])


def test_a_transaction_cut_off_in_the_middle_rolls_back(tmp_path):
    store = tmp_path / "s"
    rl.sweep(add, over={"n": [1, 2]}, seeds=2, store=store)
    text = f"""
import os, sqlite3
db = sqlite3.connect({str(store)!r}, isolation_level=None)
db.execute("PRAGMA cache_size = 1"); db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE runs SET row = 'x', sha = 'y'")
for i in range(3000):
    db.execute("INSERT INTO runs VALUES (?, 'r', 'c', ?, 'z')", (str(i), "w" * 500))
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", text], check=False)
    assert (tmp_path / "s-journal").exists()
    table = rl.sweep(add, over={"n": [1, 2]}, seeds=2, store=store)
    assert (table.reused, table["sum"]) == (4, [1, 2, 2, 3])


@pytest.mark.parametrize("damage", ["text", "truncated", "other", "version", "columns", "folder"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, damage):
    store = tmp_path / "s"
    if damage == "text":
        store.write_text("n,seed,sum\n1,2,3\n" * 100)
    elif damage == "folder":
        store.mkdir()
    elif damage == "other":
        with sqlite3.connect(store) as db:
            db.execute("CREATE TABLE runs (a)")
    else:
        rl.sweep(add, over={"n": range(40)}, seeds=3, store=store)
        if damage == "truncated":
            store.write_bytes(store.read_bytes()[: store.stat().st_size * 2 // 3])
        elif damage == "version":
            with sqlite3.connect(store) as db:
                db.execute("PRAGMA user_version = 99")
        else:
            with sqlite3.connect(store) as db:
                db.execute("ALTER TABLE runs ADD COLUMN extra")
    before = store.read_bytes() if store.is_file() else b""
    with pytest.raises(InvalidFile, match="sweep: store="):
        rl.sweep(add, over={"n": range(40)}, seeds=3, store=store)
    assert (store.read_bytes() if store.is_file() else b"") == before


def test_a_store_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    """Another process in the middle of a write that never ends: as good as a read-only file."""
    store, calls = tmp_path / "s", []
    rl.sweep(add, over={"n": [1]}, seeds=1, store=store)
    blocker = sqlite3.connect(store, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rltheory.reports._store.PATIENCE", 0.2)
        with pytest.raises(InvalidFile, match="locked"):
            rl.sweep(lambda n: calls.append(n), over={"n": [1]}, store=store)
    blocker.close()
    assert calls == []


def test_ctrl_c_keeps_what_was_finished(tmp_path):
    calls = []

    def work(n):
        if n == 3 and len(calls) == 3:
            calls.append(n)
            raise KeyboardInterrupt
        calls.append(n)
        return n

    store, seen = tmp_path / "s", calls
    with pytest.raises(KeyboardInterrupt):
        rl.sweep(work, over={"n": range(5)}, store=store)
    assert seen == [0, 1, 2, 3]
    with sqlite3.connect(store) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (3,)
