"""An independent checker of certificates: standard library only, nothing of rltheory.

    python verifier.py FILE [FILE ...]

It reads rational strings and re-checks, in `fractions`:
- solution: L ≤ TL and TU ≤ U for the stored model, hence L ≤ V ≤ U (γ·row sums below 1);
- claim: every stored comparison (intervals), every mutant's killing sides, and the Bellman equation of
  every stored value function; the verdict must be one that this evidence allows.
"""

import json
import sys
from fractions import Fraction as F
from typing import Any

FORMAT = "rltheory-certificate-1"
LEAST_INSTANCES = 50


class Rejected(Exception):
    """The certificate does not prove what it says."""


def need(ok: bool, message: str) -> None:
    """Raise `Rejected` unless `ok`."""
    if not ok:
        raise Rejected(message)


def backup(model: dict[str, Any], V: "list[F]", policy: Any) -> "list[F]":
    """One Bellman backup TV (or T^π V) of a stored model, after checking that it is a model."""
    S, gamma = int(model["S"]), F(model["gamma"])
    ps, pa, R = model["pair_state"], model["pair_action"], [F(r) for r in model["R"]]
    need(
        len(V) == S and len(ps) == len(pa) == len(R) == len(model["rows"]), "model arrays disagree in length"
    )
    out: list[list[tuple[int, F]]] = [[] for _ in range(S)]
    for k, row in enumerate(model["rows"]):
        probs = [(int(t), F(p)) for t, p in row]
        need(all(p >= 0 and 0 <= t < S for t, p in probs), f"pair {k}: bad probability or state")
        mass = sum((p for _, p in probs), F(0))
        need(
            abs(mass - 1) <= F(1, 10**11) and gamma >= 0 and gamma * mass < 1,
            f"pair {k}: mass {mass}, γ {gamma}",
        )
        out[ps[k]].append((pa[k], R[k] + gamma * sum((p * V[t] for t, p in probs), F(0))))
    need(all(out), "a state has no action")
    if policy is None:
        return [max(q for _, q in pairs) for pairs in out]
    result = []
    for s, pairs in enumerate(out):
        if isinstance(policy[s], list):
            weights = [F(w) for w in policy[s]]
            need(all(w >= 0 for w in weights), f"state {s}: negative policy entry")
            need(abs(sum(weights, F(0)) - 1) <= F(1, 10**11), f"state {s}: policy row does not sum to 1")
            need(
                sum((weights[a] for a, _ in pairs), F(0)) == sum(weights, F(0)),
                f"state {s}: forbidden action used",
            )
            result.append(sum((weights[a] * q for a, q in pairs), F(0)))
        else:
            chosen = [q for a, q in pairs if F(a) == F(policy[s])]
            need(len(chosen) == 1, f"state {s}: policy action {policy[s]} is not allowed")
            result.append(chosen[0])
    return result


def verify_solution(c: dict[str, Any]) -> str:
    """Check a self-proving enclosure."""
    L, U = [F(v) for v in c["lower"]], [F(v) for v in c["upper"]]
    need(all(x <= y for x, y in zip(L, U, strict=True)), "lower exceeds upper")
    need(all(x <= y for x, y in zip(L, backup(c["model"], L, c["policy"]), strict=True)), "L ≤ TL fails")
    need(all(x <= y for x, y in zip(backup(c["model"], U, c["policy"]), U, strict=True)), "TU ≤ U fails")
    width = max(float(u - x) for x, u in zip(L, U, strict=True))
    return f"{len(L)} states enclosed, width ≤ {width:.3g}"


def verify_claim(c: dict[str, Any]) -> str:
    """Check the stored evidence of a claim."""
    eq, within = c["relation"] == "eq", F(c["within"])
    need(within >= 0, "negative tolerance")
    solutions, kinds, seen = 0, set(), set()
    for i, inst in enumerate(c["instances"]):
        need(bool(inst["sides"]), f"instance {i} has no sides")
        kinds.add(inst["evidence"])
        seen.add(inst["instance"])
        for (a, b), (p, q) in inst["sides"]:
            lo, hi, lo2, hi2 = F(a), F(b), F(p), F(q)
            need(lo <= hi and lo2 <= hi2, f"instance {i}: an interval is empty")
            if inst["evidence"] == "exact":
                need(lo == hi and lo2 == hi2, f"instance {i} is called exact but has width")
            ok = max(hi - lo2, hi2 - lo) <= within if eq else hi <= lo2
            need(ok or c["verdict"] == "supported", f"instance {i}: the comparison does not hold")
            failed = max(lo - hi2, lo2 - hi) > within if eq else lo > hi2
            need(not failed, f"instance {i}: the comparison fails")
        for sol in inst["solutions"]:
            V = [F(v) for v in sol["V"]]
            need(
                backup(sol["model"], V, sol["policy"]) == V,
                f"instance {i}: V does not solve its Bellman equation",
            )
            solutions += 1
    verdict = c["verdict"]
    need(
        verdict in ("supported", "certified", "proved"),
        f"verdict {verdict!r} is not one a certificate can carry",
    )
    need(verdict == "supported" or kinds <= {"exact", "enclosed"}, f"{verdict} on {sorted(kinds)} evidence")
    if verdict == "proved":
        need(
            c["domain"] is not None and kinds == {"exact"},
            "proved needs a complete finite domain and exact sides",
        )
        need(len(seen) == c["domain"]["size"], f"domain of size {c['domain']['size']}, {len(seen)} instances")
    elif c["domain"] is None:
        need(
            len(seen) >= LEAST_INSTANCES, f"{len(seen)} distinct instances, at least {LEAST_INSTANCES} needed"
        )
    need(bool(c["mutants"]), "no mutants")
    for m in c["mutants"]:
        need(m["killed_by"] in ("search", "named"), f"mutant “{m['says']}” survives")
        lhs, rhs = F(m["lhs"]), F(m["rhs"])
        need(lhs > rhs or (lhs < rhs and m["relation"] == "eq"), f"mutant “{m['says']}”: not refuted")
    return f"{len(c['instances'])} instances, {len(c['mutants'])} mutants, {solutions} value functions"


def verify(path: str) -> str:
    """One line on what a certificate file proves; raises `Rejected`, or what reading it raises."""
    with open(path, encoding="utf-8") as f:
        c = json.load(f)
    need(isinstance(c, dict) and c.get("format") == FORMAT, f"not a {FORMAT} file")
    if c["kind"] == "solution":
        return f"solution: {verify_solution(c)}"
    need(c["kind"] == "claim", f"unknown kind {c['kind']!r}")
    return f"{c['id']}: {c['verdict']}; {verify_claim(c)}"


def main(paths: "list[str]") -> int:
    """Verify files; 0 if all are accepted, 1 if one is rejected."""
    bad = 0
    for path in paths:
        try:
            print(f"{path}: accepted: {verify(path)}")  # noqa: T201
        except (Rejected, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError, OSError) as exc:
            bad += 1
            print(f"{path}: REJECTED: {type(exc).__name__}: {exc}")  # noqa: T201
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
