"""Draws and paths against the laws they claim: goodness of fit at fixed seeds, level 10⁻³ a test."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numba
import numpy as np
import pytest
from scipy import integrate, stats

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.kernels import normals as draws
from rltheory.kernels import paths
from rltheory.models.processes import (
    CIR,
    GBM,
    OU,
    SDE,
    BrownianMotion,
    ControlledLQ,
    LinearSDE,
    PolynomialDiffusion,
)
from rltheory.operators import diffusion

LEVEL = 1e-3
KEY = np.uint64(0x1234567890ABCDEF)
ZERO = np.uint64(0)


def fits(x: Any, law: Any) -> float:
    """P-value of Kolmogorov and Smirnov."""
    return float(stats.kstest(np.asarray(x).ravel(), law.cdf if hasattr(law, "cdf") else law).pvalue)


# ---- draws ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_words_are_those_published_with_the_generator(counter: Any, key: Any, words: Any) -> None:
    a, b = draws.philox(*(np.uint64(k) for k in key), *(np.uint64(c) for c in counter))
    assert (a & 0xFFFFFFFF, a >> 32, b & 0xFFFFFFFF, b >> 32) == words


@pytest.fixture(scope="module")
def many() -> Any:
    out = np.empty((400, 10_001))
    draws.normals(KEY, ZERO, 1, out)
    return out[:, 1:]


def chi_square(x: Any, bins: int) -> float:
    """P-value of counts in equally likely bins of the normal law."""
    edges = stats.norm.ppf(np.arange(1, bins) / bins)
    counts = np.bincount(np.searchsorted(edges, np.asarray(x).ravel()), minlength=bins)
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize("bins", [10, 1000, 50_000])
def test_normals_fill_equally_likely_bins(many: Any, bins: int) -> None:
    assert chi_square(many, bins) > LEVEL
    assert fits(many[:100], stats.norm) > LEVEL


def test_the_bins_see_a_ziggurat_without_its_wedges(many: Any) -> None:
    words = np.random.default_rng(0).integers(0, 2**64, many.size, dtype=np.uint64)
    u = (words >> np.uint64(11)).astype(np.int64) - draws.CENTRE
    x = (u + 0.5) * draws.WIDTH[(words & np.uint64(255)).astype(np.int64)]
    assert chi_square(x, 1000) < 1e-9


def test_normals_at_the_layers(many: Any) -> None:
    """Counts between consecutive ends of layers, where a wrong table shows."""
    edges = np.sort(draws.WIDTH[1:] * draws.CENTRE)
    p = np.diff(np.concatenate([[0.0], 2 * stats.norm.cdf(edges) - 1, [1.0]]))
    counts = np.bincount(np.searchsorted(edges, np.abs(many).ravel()), minlength=p.size)
    assert stats.chisquare(counts, p * many.size).pvalue > LEVEL


def test_tails(many: Any) -> None:
    for z in (3.0, draws.TAIL, 4.0, 4.5, 5.0):
        for side in (many, -many):
            count, p = int((side > z).sum()), float(stats.norm.sf(z))
            assert stats.binomtest(count, many.size, p).pvalue > LEVEL, z
    beyond = many[many > draws.TAIL]
    assert beyond.size > 400
    assert fits(stats.norm.sf(beyond) / stats.norm.sf(draws.TAIL), stats.uniform) > LEVEL
    # tail index: (X² − TAIL²)/2 is nearly exponential; under a Pareto or exponential tail its mean is off
    excess = (beyond**2 - draws.TAIL**2) / 2
    mean = integrate.quad(lambda x: (x * x - draws.TAIL**2) / 2 * stats.norm.pdf(x), draws.TAIL, 40)[0]
    assert abs(excess.mean() - mean / stats.norm.sf(draws.TAIL)) < 3.3 * excess.std() / math.sqrt(excess.size)


def test_draws_of_a_path_and_of_paths_are_uncorrelated(many: Any) -> None:
    for f in (lambda x: x, np.square, np.cos):
        y = f(many) - f(many).mean()
        scale = y.std() ** 2 * math.sqrt(many.size)
        for lag in (1, 2, 255, 256):
            assert abs((y[:, lag:] * y[:, :-lag]).sum() / scale) < 3.9
            assert abs((y[lag:] * y[:-lag]).sum() / scale) < 3.9
    halves = np.empty((1, 20_001))
    draws.normals(KEY, np.uint64(2**32), 1, halves)  # path numbers beyond 32 bits are other streams
    assert not np.isclose(halves[0, 1:101], many[0, :100]).any()


def test_uniforms_and_words_used_once() -> None:
    out = np.empty((100, 3001))
    draws.uniforms(KEY, ZERO, 1, out)
    u = out[:, 1:]
    assert fits(u, stats.uniform) > LEVEL
    assert np.unique(u).size == u.size
    assert stats.chisquare(np.bincount((u.ravel() * 4096).astype(int), minlength=4096)).pvalue > LEVEL


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 1.7, 30.0])
def test_gammas(shape: float) -> None:
    out = np.empty((50, 2000))
    draws.gammas(KEY, ZERO, shape, out)
    assert fits(out, stats.gamma(shape)) > LEVEL
    assert abs(np.corrcoef(out[:, 1:].ravel(), out[:, :-1].ravel())[0, 1]) < 3.3 / math.sqrt(out.size)


@numba.njit  # type: ignore[untyped-decorator,unused-ignore]
def fill_counts(mean: float, zero: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = draws.poisson_draw(mean, zero, zero, zero, zero, np.uint64(i))


@pytest.mark.parametrize("mean", [0.0, 0.4, 9.9, 10.1, 60.0, 4000.0])
def test_counts(mean: float) -> None:
    x = np.empty(1_000_000)
    fill_counts(mean, ZERO, x)
    if mean == 0:
        assert not x.any()
        return
    law = stats.poisson(mean)
    edges = np.unique(law.ppf(np.linspace(0.001, 0.999, 200)))
    p = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]]))
    counts = np.bincount(np.searchsorted(edges, x), minlength=p.size)
    assert stats.chisquare(counts, p * x.size).pvalue > LEVEL


# ---- streams -------------------------------------------------------------------------------
PROCESSES: list[tuple[Any, float]] = [
    (BrownianMotion(0.5, 1.2), -0.3),
    (OU(0.8, 0.1, 0.6), 0.4),
    (GBM(0.05, 0.2), 1.0),
    (CIR(2.0, 0.5, 0.6), 0.4),
    (CIR(0.5, 0.2, 1.0), 0.4),
]
NAMES = ["BM", "OU", "GBM", "CIR", "CIR at 0"]


@pytest.mark.parametrize(("process", "x0"), PROCESSES, ids=NAMES)
def test_paths_depend_on_seed_and_number_only(process: Any, x0: float) -> None:
    whole = process.sample(x0, 1.0, 300, 1001, seed=3, threads=1)
    assert whole.shape == (1001, 301)
    assert (whole[:, 0] == x0).all()
    assert np.array_equal(whole, process.sample(x0, 1.0, 300, 1001, seed=3, threads=3))
    parts = [process.sample(x0, 1.0, 300, k, seed=3, first=f) for f, k in ((0, 7), (7, 501), (508, 493))]
    assert np.array_equal(whole, np.concatenate(parts))
    longer = process.sample(x0, 2.0, 600, 50, seed=3)
    assert np.array_equal(longer[:, :301], whole[:50])
    starts = process.sample(np.full(50, x0), 1.0, 300, 50, seed=np.random.SeedSequence(3))
    assert np.array_equal(starts, whole[:50])
    other = process.sample(x0, 1.0, 300, 1001, seed=4)
    assert abs(np.corrcoef(other[:, -1], whole[:, -1])[0, 1]) < 3.3 / math.sqrt(1001)


def test_a_generator_names_a_new_stream_every_time() -> None:
    rng = np.random.default_rng(0)
    a, b = (OU(1.0).sample(0.0, 1.0, 4, 3, seed=rng) for _ in range(2))
    assert not np.isclose(a[:, 1:], b[:, 1:]).any()
    again = OU(1.0).sample(0.0, 1.0, 4, 3, seed=np.random.default_rng(0))
    assert np.array_equal(a, again)


# ---- exact laws ----------------------------------------------------------------------------
def noncentral(process: CIR, x0: float, t: float) -> Any:
    """Law of X_t from SciPy's noncentral χ²."""
    k, s2 = float(process.kappa), float(process.sigma) ** 2
    c = s2 * -math.expm1(-k * t) / (4 * k)
    return stats.ncx2(df=process.degrees, nc=x0 * math.exp(-k * t) / c, scale=c)


def law_of(process: Any, x0: float, t: float) -> Any:
    if isinstance(process, CIR):
        return noncentral(process, x0, t)
    if isinstance(process, GBM):
        m, s = float(process.mu), float(process.sigma)
        return stats.lognorm(s * math.sqrt(t), scale=x0 * math.exp((m - s * s / 2) * t))
    if isinstance(process, OU):
        k, m, s = float(process.kappa), float(process.mean), float(process.sigma)
        var = s * s * t if k == 0 else s * s * (1 - math.exp(-2 * k * t)) / (2 * k)
        return stats.norm(m + (x0 - m) * math.exp(-k * t), math.sqrt(var))
    return stats.norm(x0 + float(process.mu) * t, float(process.sigma) * math.sqrt(t))


EVERY = [
    *PROCESSES,
    (OU(0.0, 5.0, 0.7), 0.2),
    (OU(-0.4, 0.3, 0.2), 1.0),
    (CIR(0.3, 0.3, 0.5), 0.7),
    (CIR(1.0, 4.0, 0.5), 0.01),
]


@pytest.mark.parametrize(("process", "x0"), EVERY, ids=range(len(EVERY)))
def test_marginals_and_covariance_across_time(process: Any, x0: float) -> None:
    T, n, paths = 1.5, 6, 40_000
    x = process.sample(x0, T, n, paths, seed=11)
    for i in (1, 2, n):
        law = law_of(process, x0, T * i / n)
        assert fits(x[:, i], law) > LEVEL
        assert process.mean_at(x0, T * i / n) == pytest.approx(law.mean(), rel=1e-10)
        assert process.variance_at(x0, T * i / n) == pytest.approx(law.var(), rel=1e-9)
        # the conditional law of one step, by the probability integral transform
        if i < n and not isinstance(process, CIR):
            inner = [law_of(process, float(v), T / n).cdf(w) for v, w in zip(x[:300, i], x[:300, i + 1])]
            assert fits(inner, stats.uniform) > LEVEL
    y = x - x.mean(axis=0)
    for i, j in ((1, 2), (1, n), (3, 5)):
        products = y[:, i] * y[:, j]
        exact = process.covariance_at(x0, T * i / n, T * j / n)
        assert exact == process.covariance_at(x0, T * j / n, T * i / n)
        assert abs(products.mean() - exact) < 3.9 * products.std() / math.sqrt(paths)


def test_one_step_of_the_square_root_process_from_where_it_is() -> None:
    process = CIR(0.5, 0.2, 1.0)
    x = process.sample(0.4, 1.0, 2, 1000, seed=5)
    inner = [noncentral(process, float(v), 0.5).cdf(w) for v, w in x[:, 1:]]
    assert fits(inner, stats.uniform) > LEVEL


def test_absorption_at_zero() -> None:
    process, x0, t = CIR(1.0, 0.0, 0.8), 0.3, 1.0
    x = process.sample(x0, t, 5, 40_000, seed=9)
    c = 0.64 * -math.expm1(-t) / 4
    p = math.exp(-x0 * math.exp(-t) / c / 2)
    assert stats.binomtest(int((x[:, -1] == 0).sum()), 40_000, p).pvalue > LEVEL
    assert (x[:, 1:][x[:, :-1] == 0] == 0).all()


SHIFTED = [
    PolynomialDiffusion(0.3, -0.6, 1.0, -0.5, 0.0),  # square root below 2: σ² = 1 − x/2
    PolynomialDiffusion(F(1), F(0), F(1, 2), F(1), 0),  # square root above −1/2, no return
    PolynomialDiffusion(F(-2, 10), F(1, 10), F(4, 25), F(-4, 25), F(1, 25)),  # geometric about 2
    PolynomialDiffusion(0.5, 0.0, 0.0, 0.0, 0.0),  # no noise
]


@pytest.mark.parametrize("process", SHIFTED, ids=["mirrored", "Bessel", "about 2", "line"])
def test_shifted_and_mirrored_processes_have_their_exact_moments(process: PolynomialDiffusion) -> None:
    x0, t, paths = 1.0, 0.75, 60_000
    x = process.sample(x0, t, 3, paths, seed=21)[:, -1]
    exact = [float(v) for v in diffusion.moments(process, x0, t, 4).value]
    assert process.mean_at(x0, t) == pytest.approx(exact[1], rel=1e-12)
    assert process.variance_at(x0, t) == pytest.approx(exact[2] - exact[1] ** 2, rel=1e-9, abs=1e-14)
    for k in (1, 2, 3, 4):
        spread = (x**k).std() / math.sqrt(paths)
        assert abs((x**k).mean() - exact[k]) <= 3.9 * spread + 1e-12


def test_parameters_may_be_rational() -> None:
    ou = OU(F(4, 5), F(0), F(3, 5))
    assert ou.polynomial() == PolynomialDiffusion(F(0), F(-4, 5), F(9, 25), 0, 0)
    assert ou.polynomial().is_exact
    assert np.allclose(
        ou.sample(F(2, 5), 1, 4, 3, 0), OU(0.8, 0.0, 0.6).sample(0.4, 1.0, 4, 3, 0), rtol=1e-14
    )


def test_exponentials_to_a_few_units() -> None:
    """Against the library function, small and huge exponents, both signs, more columns than a buffer."""
    y = np.concatenate([np.linspace(-680, 680, 5000), np.linspace(-1, 1, 4001), [0.0, 705.0, -740.0, 708.0]])
    out = np.stack([np.concatenate([[3.0], np.diff(y, prepend=0.0)])])
    total = np.cumsum(out[0, 1:])  # the exponents as the kernel adds them up
    paths.exponential(0.0, 1.0, out)
    assert out[0, 1:] == pytest.approx(3.0 * np.exp(total), rel=1e-15, abs=1e-320)


# ---- linear --------------------------------------------------------------------------------
A3 = np.array([[-1.0, 0.5, 0.0], [0.2, -0.3, 1.0], [0.0, -2.0, 0.1]])
S3 = np.array([[0.5, 0.0], [0.1, 0.4], [0.0, 0.0]])


def test_transition_by_the_moment_equations() -> None:
    process, h = LinearSDE(A3, [0.1, -0.2, 0.3], S3), 1.7

    def slope(t: float, y: Any) -> Any:
        m, Q = y[:3], y[3:].reshape(3, 3)
        return np.concatenate([A3 @ m + process.b, (A3 @ Q + Q @ A3.T + S3 @ S3.T).ravel()])

    y = integrate.solve_ivp(slope, (0, h), np.concatenate([[1, 2, 3], np.zeros(9)]), rtol=1e-11, atol=1e-12).y
    assert np.allclose(process.mean_at([1, 2, 3], h), y[:3, -1], atol=1e-9)
    assert np.allclose(process.variance_at([1, 2, 3], h), y[3:, -1].reshape(3, 3), atol=1e-9)


def test_stiff_and_singular_transitions() -> None:
    F_, g, Q = LinearSDE([[-1000.0]], [2000.0], [[3.0]]).transition(5.0)
    assert F_[0, 0] == 0.0
    assert g[0] == pytest.approx(2.0, rel=1e-12)
    assert Q[0, 0] == pytest.approx(9 / 2000, rel=1e-12)
    F_, _, Q = LinearSDE([[0.0, 1.0], [0.0, 0.0]], sigma=[[0.0], [1.0]]).transition(2.0)  # integrated noise
    assert np.allclose(F_, [[1, 2], [0, 1]], atol=1e-15)
    assert np.allclose(Q, [[8 / 3, 2], [2, 2]], rtol=1e-13)
    still = LinearSDE([[0.0, 1.0], [-1.0, 0.0]], sigma=[[0.0], [0.0]]).sample(
        [1.0, 0.0], math.pi, 2, 3, seed=0
    )
    assert np.allclose(still[:, :, 0], [1, 0, -1], atol=1e-14)


def test_vector_paths() -> None:
    process = LinearSDE(A3, [0.1, -0.2, 0.3], S3)
    x = process.sample([1.0, 0.0, -1.0], 1.2, 4, 40_000, seed=6)
    c = np.array([0.3, -1.0, 0.7])
    for i in (1, 4):
        m, Q = process.mean_at([1, 0, -1], 0.3 * i), process.variance_at(None, 0.3 * i)
        assert fits(x[:, i] @ c, stats.norm(c @ m, math.sqrt(c @ Q @ c))) > LEVEL
    y = x - x.mean(axis=0)
    lag = np.einsum("pi,pj->pij", y[:, 1], y[:, 3])
    want = process.covariance_at(None, 0.3, 0.9)
    assert (np.abs(lag.mean(axis=0) - want) < 3.9 * lag.std(axis=0) / 200).all()
    assert np.allclose(process.covariance_at(None, 0.9, 0.3), want.T)
    parts = [process.sample([1, 0, -1], 1.2, 4, k, seed=6, first=f) for f, k in ((0, 11), (11, 90))]
    assert np.array_equal(np.concatenate(parts), x[:101])


def test_one_dimension_is_the_scalar_process() -> None:
    one = LinearSDE([[-0.8]], [0.2], [[0.6]]).sample([0.4], 1.0, 16, 50, seed=2)[:, :, 0]
    assert np.allclose(one, OU(0.8, 0.25, 0.6).sample(0.4, 1.0, 16, 50, seed=2), rtol=1e-12)


# ---- functions -----------------------------------------------------------------------------
def test_strong_orders() -> None:
    """Against exact geometric paths driven by the same noise: error ratios per halving of the step."""
    exact = GBM(0.3, 0.8)
    errors: dict[str, list[float]] = {"euler": [], "milstein": []}
    for n in (16, 64, 256):
        truth = exact.sample(1.0, 1.0, n, 4000, seed=8)[:, -1]
        for scheme, found in errors.items():
            sde = SDE(lambda t, x: 0.3 * x, lambda t, x: 0.8 * x, scheme=scheme)  # type: ignore[arg-type]
            found.append(float(np.sqrt(np.mean((sde.sample(1.0, 1.0, n, 4000, seed=8)[:, -1] - truth) ** 2))))
    for scheme, low, high in (("euler", 1.7, 2.4), ("milstein", 3.2, 5.5)):
        ratios = [a / b for a, b in zip(errors[scheme], errors[scheme][1:], strict=False)]
        assert all(low < r < high for r in ratios), (scheme, ratios)


def test_euler_steps() -> None:
    z = np.empty((5, 12))
    key = np.random.SeedSequence(4).generate_state(1, np.uint64)[0]
    draws.normals(key, ZERO, 0, z)
    x = np.full(5, 0.2)
    for i in range(12):
        x = x + (i / 12 - x) / 12 + 0.5 * np.sqrt(1 / 12) * z[:, i]
    sde = SDE(lambda t, x: t - x, lambda t, x: 0.5)
    assert np.allclose(sde.sample(0.2, 1.0, 3, 5, seed=4, substeps=4)[:, -1], x, rtol=1e-13)
    diagonal = SDE(lambda t, x: -x, lambda t, x: np.array([0.1, 0.2]))
    matrix = SDE(lambda t, x: -x, lambda t, x: np.broadcast_to(np.diag([0.1, 0.2]), (5, 2, 2)), noises=2)
    a, b = (p.sample([[1.0, 2.0]], 1.0, 8, 5, seed=1) for p in (diagonal, matrix))
    assert a.shape == (5, 9, 2)
    assert np.allclose(a, b, rtol=1e-14)
    assert np.array_equal(diagonal.sample([[1.0, 2.0]], 1.0, 8, 3, seed=1, first=2), a[2:])


def test_functions_that_fail_are_named() -> None:
    with pytest.raises(InvalidArgument, match=r"path 0 is not finite at grid point \d+"):
        SDE(lambda t, x: x**3, lambda t, x: 1.0).sample(3.0, 5.0, 50, 2, seed=0)
    with pytest.raises(InvalidArgument, match=r"drift\(t, x\) returned shape \(3,\), must be \(2,\)"):
        SDE(lambda t, x: np.zeros(3), lambda t, x: 1.0).sample(0.0, 1.0, 2, 2, seed=0)


# ---- control -------------------------------------------------------------------------------
def test_closed_loops() -> None:
    lq = ControlledLQ(A=0.5, B=1.0, Q=1.0, R=0.25, C=0.1, D=0.2, beta=1.0)
    assert lq.closed_loop(-2.0) == GBM(-1.5, abs(0.1 + 0.2 * -2.0))
    noisy = ControlledLQ(A=0.5, B=1.0, Q=1.0, R=0.25, C=0.1, sigma=[[0.3]])
    assert noisy.closed_loop(-1.0) == PolynomialDiffusion(0.0, -0.5, 0.09, 0.0, 0.1 * 0.1)
    plain = ControlledLQ(A3, np.eye(3), np.eye(3), np.eye(3), sigma=S3)
    assert isinstance(plain.closed_loop(-np.eye(3)), LinearSDE)
    assert np.array_equal(plain.closed_loop(-np.eye(3)).A, A3 - np.eye(3))
    both = ControlledLQ(A3, np.eye(3), np.eye(3), np.eye(3), C=0.1 * np.eye(3), sigma=S3)
    loop = both.closed_loop(np.zeros((3, 3)))
    assert isinstance(loop, SDE)
    assert loop.sample([[1.0, 0.0, 0.0]], 1.0, 4, 2, seed=0).shape == (2, 5, 3)


def test_value_of_a_gain() -> None:
    lq = ControlledLQ(A=0.5, B=1.0, Q=1.0, R=0.25, C=0.1, D=0.2, beta=1.0)
    for k in (-2.0, -1.0, -0.7):
        eta = 1.0 - 2 * (0.5 + k) - (0.1 + 0.2 * k) ** 2
        P, v = lq.value(k)
        assert P[0, 0] == pytest.approx((1 + 0.25 * k * k) / eta, rel=1e-13)
        assert v == 0.0
    with pytest.raises(InvalidArgument, match=r"second moments grow at rate 0\.01, must be < 0"):
        lq.value(0.0)
    vector = ControlledLQ(A3, np.eye(3), np.eye(3), 2 * np.eye(3), C=0.2 * A3, sigma=S3, beta=0.5)
    K = -0.8 * np.eye(3) + 0.1 * A3.T
    P, v = vector.value(K)
    A, C = A3 + K, 0.2 * A3
    residual = A.T @ P + P @ A + C.T @ P @ C - 0.5 * P + vector.cost(K)
    assert np.abs(residual).max() < 1e-12
    assert v == pytest.approx(np.trace(S3.T @ P @ S3) / 0.5, rel=1e-13)
    # and by simulation of the loop without multiplicative noise
    calm = ControlledLQ(A3, np.eye(3), np.eye(3), 2 * np.eye(3), sigma=S3, beta=0.5)
    P, v = calm.value(K)
    n, T, x0 = 400, 16.0, np.array([1.0, -1.0, 0.5])
    x = calm.closed_loop(K).sample(x0, T, n, 4000, seed=1)
    rate = np.einsum("pid,de,pie->pi", x, calm.cost(K), x) * np.exp(-0.5 * np.linspace(0, T, n + 1))
    total = integrate.simpson(rate, dx=T / n, axis=1)
    want = x0 @ P @ x0 + v
    assert abs(total.mean() - want) < 3.9 * total.std() / math.sqrt(4000) + 1e-3 * want


def test_the_module_is_public() -> None:
    assert rl.processes.OU is OU
    assert set(rl.processes.__all__) >= {"OU", "GBM", "CIR", "SDE", "LinearSDE", "ControlledLQ"}
