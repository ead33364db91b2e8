"""Checking one claim: search in floats, conclude in exact or enclosed arithmetic, and doubt the check itself.

Order of work: the named and tight instances; a steered random search (or every instance of a finite
domain); exact re-evaluation of every instance counted; the mutants; the assumptions' witnesses.  The
verdict is the first row of this table that applies:

    refuted       an admissible instance fails by more than its radius
    vacuous       a guard trips: too few instances, a surviving mutant, a tight case that is not tight, …
    inconclusive  NaN, an evaluation that raises, or nothing but ties
    supported     all hold, yet some evidence is float or sample, or some comparison ties
    certified     all hold, every side exact or enclosed
    proved        certified, over a complete finite domain in exact arithmetic
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .claim import Claim, Eq, Erratum, Every, Loose, Mutant, NotShown, Rate, Then, Tight, Verdict
from .evidence import Comparison, Evidence, Interval, Outcome
from .literal import fingerprint, literal
from .report import Counterexample, MutantReport, Report
from .search import SearchResult, search

X = TypeVar("X")

LEAST_INSTANCES = 50
"""Fewest distinct admissible, non-trivial random instances a verdict may rest on."""

ROUNDS = 4
"""Searches with fresh seeds until `n` distinct, non-trivial instances are found."""

MUTANT_DRAWS = 5
"""A mutant's own search may draw this many times the claim's budget."""


def check(claim: Claim[X], *, n: int = 100, seed: int = 0, record: bool = False, id: str = "") -> Report:
    """Check `claim` on about `n` random instances (all of a finite domain) and report.

    Parameters
    ----------
    claim
        The claim.
    n
        Random instances to draw, at least 50; `claim.draws` caps it.
    seed
        Seeds every search; the report prints it.
    record
        Keep every instance and both sides, for a certificate (see `rltheory.checks.certificates`).
    id
        Name printed in the report; the statement if empty.

    Raises
    ------
    ValueError
        If n < 50 for a random domain: no verdict can rest on fewer.
    """
    if n < LEAST_INSTANCES and not isinstance(claim.let, Every):
        raise ValueError(f"check: n={n}, a verdict needs at least {LEAST_INSTANCES} instances; raise n")
    return _Run(
        claim, n if claim.draws is None else max(LEAST_INSTANCES, min(n, claim.draws)), seed, record, id
    ).report()


@dataclass
class _Run(Generic[X]):
    claim: Claim[X]
    n: int
    seed: int
    record: bool
    id: str
    evaluations: int = 0
    findings: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)
    lifted: dict[int, tuple[X, X]] = field(default_factory=dict)

    # ---- evaluation ----------------------------------------------------------------------
    def lift(self, x: X) -> X:
        """The certified form of x, computed once per instance."""
        if self.claim.certify is None:
            return x
        if id(x) not in self.lifted:
            self.lifted[id(x)] = (x, self.claim.certify(x))
        return self.lifted[id(x)][1]

    def at(self, then: Then[X], x: X) -> Comparison:
        self.evaluations += 1
        return then(x)

    def fails(self, then: Then[X], x: X) -> bool:
        """True when `then` fails at the certified form of an admissible x."""
        y = self.lift(x)
        return self.claim.admits(y) and self.at(then, y).outcome is Outcome.FAILS

    def label(self, x: X) -> str:
        text = literal(self.lift(x))
        return text if len(text) <= 2000 else text[:2000] + " …"

    # ---- the whole -----------------------------------------------------------------------
    def report(self) -> Report:
        start, claim = time.perf_counter(), self.claim
        counterexample: X | None = None
        pool: list[X] = []
        try:
            named = self.check_named()
            counterexample = next((x for x in named if self.fails(claim.then, x)), None)
            if counterexample is None:
                pool, counterexample = self.collect()
        except Exception as exc:  # a side that raises is a finding, never a crash of the whole catalogue
            self.undefined.append(f"evaluation raised {type(exc).__name__}: {exc}")
            named = []
        results = self.conclude([*named, *pool]) if counterexample is None else []
        for x, c in results:
            if c.outcome is Outcome.FAILS and self.claim.admits(self.lift(x)):
                counterexample = x
        self.check_count(results[len(named) :], counterexample)
        mutants: list[MutantReport] = []
        tight_ratio = math.nan
        if counterexample is None and not self.undefined:
            try:
                tight_ratio = self.check_tight(results)
                self.check_assumptions()
                mutants = self.check_mutants(named, pool)
            except Exception as exc:
                self.undefined.append(f"a guard raised {type(exc).__name__}: {exc}")
        return self.summarise(
            results, pool, counterexample, mutants, tight_ratio, time.perf_counter() - start
        )

    def check_named(self) -> list[X]:
        claim = self.claim
        tight = claim.tight.instances if isinstance(claim.tight, Tight) else []
        for name, x in [*((f"tight case {i}", t) for i, t in enumerate(tight)), *claim.named.items()]:
            for a in claim.assume:
                if not a.holds(self.lift(x)):
                    self.findings.append(f"{name} is not admissible: it breaks “{a.says}”")
        return [*tight, *claim.named.values()]

    def collect(self) -> tuple[list[X], X | None]:
        claim = self.claim
        if isinstance(claim.let, Every):
            pool = list(claim.let.instances)
            if len(pool) != claim.let.size or len({fingerprint(x) for x in pool}) != claim.let.size:
                self.findings.append(
                    f"the domain “{claim.let.domain}” declares {claim.let.size} instances, "
                    f"has {len(pool)}, {len({fingerprint(x) for x in pool})} of them distinct"
                )
            pool = [x for x in pool if claim.admits(x)]
            return pool, next((x for x in pool if self.fails(claim.then, x)), None)
        found = self.search(claim.let, claim.then, n=self.n, shrink=True, seed=self.seed)
        if found.unsatisfiable:
            self.findings.append(
                "the assumptions reject every instance drawn; weaken them or aim `let` at them"
            )
            return found.pool, found.hit
        keys = {fingerprint(x) for x in found.pool}
        for again in range(1, ROUNDS):
            if found.hit is not None or len(found.pool) >= self.n:
                break
            more = self.search(claim.let, claim.then, n=self.n, shrink=True, seed=self.seed + 1000 * again)
            found.hit = more.hit
            for x in more.pool:
                if (k := fingerprint(x)) not in keys and len(found.pool) < self.n:
                    keys.add(k)
                    found.pool.append(x)
        return found.pool, found.hit

    def search(
        self,
        let: Any,
        then: Then[X],
        *,
        n: int,
        shrink: bool,
        seed: int,
        admits: Callable[[X], bool] | None = None,
    ) -> SearchResult[X]:
        allowed = admits or self.claim.admits

        def evaluate(x: X) -> Comparison:
            return self.at(then, x)

        def confirm(x: X) -> bool:
            if self.claim.certify is None:
                return True
            y = self.lift(x)
            return allowed(y) and self.at(then, y).outcome is Outcome.FAILS

        return search(
            let,
            admits=allowed,
            evaluate=evaluate,
            confirm=confirm,
            key=fingerprint,
            n=n,
            seed=seed,
            shrink=shrink,
        )

    def conclude(self, instances: list[X]) -> list[tuple[X, Comparison]]:
        """Evaluate every counted instance in its certified form."""
        out = []
        for x in instances:
            try:
                c = self.at(self.claim.then, self.lift(x))
            except Exception as exc:
                self.undefined.append(f"evaluation raised {type(exc).__name__}: {exc} at {literal(x)[:400]}")
                continue
            if c.outcome is Outcome.UNDEFINED:
                self.undefined.append(f"a side is NaN or unbounded at {literal(x)[:400]}")
            out.append((x, c))
        return out

    # ---- guards --------------------------------------------------------------------------
    def check_count(self, results: list[tuple[X, Comparison]], counterexample: X | None) -> None:
        telling = sum(c.outcome is not Outcome.TRIVIAL for _, c in results)
        rejected = any("reject every instance" in f for f in self.findings)
        if isinstance(self.claim.let, Every) or counterexample is not None or self.undefined or rejected:
            return
        if telling < LEAST_INSTANCES:
            self.findings.append(
                f"only {telling} distinct admissible instances say anything (0 ≤ 0 does not count); "
                f"at least {LEAST_INSTANCES} are needed"
            )

    def check_tight(self, results: list[tuple[X, Comparison]]) -> float:
        claim = self.claim
        equality = isinstance(claim.then, Eq)
        if isinstance(claim.tight, Loose):
            best = max((c.ratio for _, c in results if not math.isnan(c.ratio)), default=math.nan)
            if not equality and not best >= 1 - claim.tight.slack:
                self.findings.append(
                    f"the slack {claim.tight.slack} is never reached: largest lhs/rhs is {best:.4g}; "
                    f"{claim.tight.reason}"
                )
            if equality and not best > 0:
                self.findings.append("both sides are zero on every instance")
            return best
        worst = math.inf
        for i, x in enumerate(claim.tight.instances):
            c = self.at(claim.then, self.lift(x))
            size = c.ratio if not math.isnan(c.ratio) else 0.0
            worst = min(worst, size)
            if equality and not size > 0:
                self.findings.append(
                    f"tight case {i}: both sides are zero there, so the equality says nothing"
                )
            elif not equality and not size >= 1 - claim.tight.within:
                self.findings.append(
                    f"tight case {i} is not tight: lhs/rhs = {size:.6g}, below 1 − {claim.tight.within}"
                )
        if isinstance(claim.then, Rate) and not any(
            self.fails(claim.then.sharper(), x) for x in claim.tight.instances
        ):
            self.findings.append(
                f"the rate sharper by n^−{claim.then.resolution} also holds at the tight case"
            )
        return worst

    def check_assumptions(self) -> None:
        for a in self.claim.assume:
            if isinstance(a.fails_without, NotShown):
                continue
            y = self.lift(a.fails_without)
            broken = [b.says for b in self.claim.assume if not b.holds(y)]
            if broken != [a.says]:
                self.findings.append(
                    f"the instance meant to break only “{a.says}” breaks {broken or 'nothing'}; "
                    "choose another"
                )
            elif self.at(self.claim.then, y).outcome is not Outcome.FAILS:
                self.findings.append(f"the conclusion still holds without “{a.says}” at the instance given")

    def check_mutants(self, named: list[X], pool: list[X]) -> list[MutantReport]:
        reports = [self.fate(i, m, named, pool) for i, m in enumerate(self.claim.mutants)]
        for r in reports:
            if not r.killed:
                self.findings.append(f"the mutant “{r.says}” survives")
        if reports and not any(r.by == "search" for r in reports):
            self.findings.append(
                "the search alone refutes no mutant (power 0): random instances are decoration here"
            )
        return reports

    def fate(self, i: int, m: Mutant[X], named: list[X], pool: list[X]) -> MutantReport:
        then = m.of(self.claim.then)
        draws = 0
        whole = isinstance(self.claim.let, Every)

        def admits(x: X) -> bool:
            return all(bool(a.holds(x)) for a in self.claim.assume if a.says != m.drop)

        def dies(x: X) -> bool:
            y = self.lift(x)
            return admits(y) and self.at(then, y).outcome is Outcome.FAILS

        if not m.named_only:
            if m.let is None:
                for draws, x in enumerate(pool, 1):
                    quick = self.claim.certify is None or self.at(then, x).outcome is not Outcome.HOLDS
                    if quick and dies(x):
                        return self.killed(m, "search", draws, then, x)
            if m.let is not None or not whole:
                let = m.let if m.let is not None else self.claim.let
                found = self.search(
                    let, then, n=MUTANT_DRAWS * self.n, shrink=False, seed=self.seed + 1 + i, admits=admits
                )
                draws += found.draws
                if found.hit is not None:
                    return self.killed(m, "search", draws, then, found.hit)
        elif m.let is not None:
            found = self.search(m.let, then, n=self.n, shrink=False, seed=self.seed + 1 + i, admits=admits)
            draws += found.draws
            if found.hit is not None:
                return self.killed(m, "named", draws, then, found.hit)
        for x in named:
            draws += 1
            if dies(x):
                return self.killed(m, "named", draws, then, x)
        return MutantReport(m.says, "", draws)

    def killed(self, m: Mutant[X], by: str, draws: int, then: Then[X], x: X) -> MutantReport:
        sides = self.failing(then, self.at(then, self.lift(x)))
        lhs, rhs = (str(side.lower) if side.lower == side.upper else str(float(side.lower)) for side in sides)
        relation = "eq" if isinstance(then, Eq) else "leq"
        return MutantReport(m.says, by, draws, self.label(x), lhs, rhs, relation)

    # ---- verdict -------------------------------------------------------------------------
    def summarise(
        self,
        results: list[tuple[X, Comparison]],
        pool: list[X],
        counterexample: X | None,
        mutants: list[MutantReport],
        tight_ratio: float,
        seconds: float,
    ) -> Report:
        claim = self.claim
        informative = [(x, c) for x, c in results if c.outcome is not Outcome.TRIVIAL]
        evidence = max((c.evidence for _, c in informative), default=Evidence.EXACT)
        ratios = [(c.ratio, x) for x, c in informative if not math.isnan(c.ratio)]
        best, worst = max(ratios, key=lambda r: r[0], default=(math.nan, None))
        verdict = self.verdict(informative, counterexample, evidence)
        whole = isinstance(claim.let, Every)
        scope = (
            f"all {len(pool)} of {claim.let.domain}"
            if isinstance(claim.let, Every)
            else f"{len(pool)} random instances"
        )
        if len(informative) > len(pool) and not whole:
            scope += f" and {len(informative) - len(pool)} named"
        return Report(
            id=self.id or claim.statement,
            statement=claim.statement,
            source=str(claim.source),
            verdict=verdict,
            expect=claim.expect,
            scope=scope,
            instances=len(informative),
            evaluations=self.evaluations,
            evidence=evidence,
            best_ratio=best,
            least_slack=min((c.slack for _, c in informative), default=math.nan),
            worst_instance=self.label(worst) if worst is not None else "",
            tight_ratio=tight_ratio,
            mutants=tuple(mutants),
            findings=(*self.findings, *self.undefined[:5]),
            counterexample=None if counterexample is None else self.show(counterexample),
            seed=self.seed,
            n=self.n,
            seconds=seconds,
            record=self.recording(results, mutants) if self.record else None,
        )

    def verdict(
        self, informative: list[tuple[X, Comparison]], counterexample: X | None, evidence: Evidence
    ) -> Verdict:
        if counterexample is not None:
            return Verdict.REFUTED
        if self.findings:
            return Verdict.VACUOUS
        if self.undefined or all(c.outcome is Outcome.TIES for _, c in informative):
            return Verdict.INCONCLUSIVE
        if evidence > Evidence.ENCLOSED or any(c.outcome is Outcome.TIES for _, c in informative):
            return Verdict.SUPPORTED
        if isinstance(self.claim.let, Every) and evidence is Evidence.EXACT:
            return Verdict.PROVED
        return Verdict.CERTIFIED

    def show(self, x: X) -> Counterexample:
        y = self.lift(x)
        c = self.at(self.claim.then, y)
        lhs, rhs = (_show(side) for side in self.failing(self.claim.then, c))
        return Counterexample(literal(y), lhs, rhs, c.evidence)

    @staticmethod
    def failing(then: Then[X], c: Comparison) -> tuple[Interval, Interval]:
        """The component of a failing comparison whose sides are furthest apart."""
        defined = [(a, b) for a, b in c.sides if a is not None and b is not None]
        if isinstance(then, Eq):
            return max(defined, key=lambda ab: max(ab[0].lower - ab[1].upper, ab[1].lower - ab[0].upper))
        return max(defined, key=lambda ab: ab[0].lower - ab[1].upper)

    def recording(self, results: list[tuple[X, Comparison]], mutants: list[MutantReport]) -> dict[str, Any]:
        from .certificates import claim_record

        return claim_record(self.claim, self.id, [(self.lift(x), c) for x, c in results], mutants, self.seed)


def _show(a: Any) -> str:
    if a.lower == a.upper:
        text = str(a.lower)
        return text if len(text) < 40 else f"{text[:200]} ≈ {float(a.lower):.12g}"
    return f"[{float(a.lower):.12g}, {float(a.upper):.12g}]"


def check_erratum(erratum: Erratum[X], *, seed: int = 0, id: str = "") -> Report:
    """Check that the false statement fails at the counterexample and the corrected claim holds there.

    The report's verdict is the expectation of the corrected claim when both are so, else REFUTED.
    """
    start, claim, x = time.perf_counter(), erratum.corrected, erratum.counterexample
    y = x if claim.certify is None else claim.certify(x)
    findings = [f"the counterexample breaks “{a.says}”" for a in claim.assume if not a.holds(y)]
    printed, corrected = erratum.then(y), claim.then(y)
    if printed.outcome is not Outcome.FAILS:
        findings.append(f"the {erratum.known_as} statement does not fail at the counterexample")
    if corrected.outcome is not Outcome.HOLDS:
        findings.append(f"the corrected claim {corrected.outcome.value} at the counterexample")
    sides = [s for c in printed.sides for s in c if s is not None]
    return Report(
        id=id or erratum.statement,
        statement=f"[{erratum.known_as}, false] {erratum.statement}",
        source=str(erratum.source),
        verdict=Verdict.REFUTED if findings else claim.expect,
        expect=claim.expect,
        scope="1 counterexample",
        instances=1,
        evaluations=2,
        evidence=printed.evidence,
        best_ratio=printed.ratio,
        least_slack=printed.slack,
        worst_instance=literal(y),
        tight_ratio=math.nan,
        mutants=(
            MutantReport(
                f"as {erratum.known_as}", "" if findings else "named", 1, literal(y), *map(_show, sides[:2])
            ),
        ),
        findings=tuple(findings),
        counterexample=None,
        seed=seed,
        n=1,
        seconds=time.perf_counter() - start,
    )
