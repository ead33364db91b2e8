"""Certificates: the verifier accepts what the library writes and rejects what is tampered with."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import rltheory as rl
from proofs_check.agarwal2022 import simulation_lemma
from rltheory.checks import certificates, check, verifier
from rltheory.checks.discover import CATALOGUE, discover

VERIFIER = Path(verifier.__file__)


@pytest.fixture(scope="module")
def claim_data() -> dict[str, Any]:
    report = check(simulation_lemma, n=60, record=True, id="agarwal2022.simulation-lemma")
    assert report.record is not None
    return json.loads(json.dumps({**report.record, "verdict": report.verdict.value}))


def write(tmp_path: Path, data: Any) -> str:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data))
    return str(path)


def test_the_verifier_needs_only_the_standard_library(tmp_path: Path, claim_data: dict[str, Any]) -> None:
    path = write(tmp_path, claim_data)
    code = (
        "import sys, runpy; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; "
        f"sys.argv = ['v', {path!r}]; runpy.run_path({str(VERIFIER)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout
    source = VERIFIER.read_text()
    assert "numpy" not in source and "from rltheory" not in source and "import rltheory" not in source


def test_a_claim_certificate_carries_solved_models(claim_data: dict[str, Any]) -> None:
    assert verifier.verify_claim(claim_data).split(",")[0].endswith("instances")
    assert sum(len(i["solutions"]) for i in claim_data["instances"]) > 0


def _other(x: str) -> str:
    q = Fraction(x)
    return str(q + Fraction(1, 7))


TAMPER = {
    "a left side raised": lambda c: c["instances"][5]["sides"][0][0].__setitem__(
        slice(None), ["1000000/1", "1000000/1"]
    ),
    "a value function changed": lambda c: c["instances"][9]["solutions"][0]["V"].__setitem__(
        0, _other(c["instances"][9]["solutions"][0]["V"][0])
    ),
    "all rewards changed": lambda c: c["instances"][9]["solutions"][0]["model"].update(
        R=[_other(r) for r in c["instances"][9]["solutions"][0]["model"]["R"]]
    ),
    "a mutant's fate": lambda c: c["mutants"][0].update(lhs="0/1", rhs="1/1"),
    "a mutant called dead": lambda c: c["mutants"][0].update(killed_by=""),
    "no mutants": lambda c: c.update(mutants=[]),
    "too few instances": lambda c: c.update(instances=c["instances"][:10]),
    "one instance fifty times": lambda c: c.update(instances=[c["instances"][0]] * 60),
    "float evidence called certified": lambda c: c["instances"][3].update(evidence="float"),
    "a stronger verdict": lambda c: c.update(verdict="proved"),
    "another format": lambda c: c.update(format="x"),
    "an unknown verdict": lambda c: c.update(verdict="true"),
    "a negative probability": lambda c: c["instances"][9]["solutions"][0]["model"]["rows"].__setitem__(
        0, [[0, "2/1"], [0, "-1/1"]]
    ),
}


@pytest.mark.parametrize("how", TAMPER)
def test_tampering_is_rejected(tmp_path: Path, claim_data: dict[str, Any], how: str) -> None:
    data = json.loads(json.dumps(claim_data))
    TAMPER[how](data)
    assert verifier.main([write(tmp_path, data)]) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "rltheory-certificate-1"}', "\x00\x01"])
def test_files_that_are_no_certificate_are_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    assert verifier.main([str(path)]) == 1
    assert verifier.main([str(tmp_path / "absent.json")]) == 1
    assert verifier.main([]) == 1


@pytest.mark.parametrize("exact", [True, False])
def test_a_solution_certificate_encloses_the_optimum(tmp_path: Path, exact: bool) -> None:
    mdp = rl.gallery.river_swim(S=6, gamma=Fraction(99, 100) if exact else 0.99)
    sol = rl.solve(mdp)
    path = certificates.save_solution(sol, tmp_path / "s.json")
    assert "6 states enclosed" in verifier.verify(str(path))
    data = json.loads(path.read_text())
    V = rl.solve(mdp.exact()).V
    assert all(
        Fraction(a) <= v <= Fraction(b) for a, v, b in zip(data["lower"], V, data["upper"], strict=True)
    )
    data["lower"][0] = str(V[0] + Fraction(1, 10**6))
    with pytest.raises(verifier.Rejected):
        verifier.verify(write(tmp_path, data))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.json"
    certificates.write_json({"a": 1}, path)
    with pytest.raises(TypeError):
        certificates.write_json({"a": object()}, path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_ids_are_found_by_glob_and_misses_are_helpful() -> None:
    ids = [f.id for f in discover(["agarwal2022.*"], CATALOGUE)]
    assert ids == ["agarwal2022.simulation-lemma"]
    with pytest.raises(rl.errors.InvalidArgument, match=r"nearest: agarwal2022\.simulation-lemma"):
        discover(["agarwal2022.simulation-lema"], CATALOGUE)
    with pytest.raises(rl.errors.InvalidArgument, match="cannot be imported"):
        discover([], "no_such_package")
