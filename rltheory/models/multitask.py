"""Multitask contextual bandits whose tasks share a representation out of a finite class.

Task i has mean reward f*_i(x, a) = φ_*(x, a)·θ_i, φ_* one of φ_0, …, φ_{p−1} with ‖φ‖ ≤ 1, ‖θ_i‖ ≤ B_θ; a
round shows one context a task and pays f*_i + σ·N(0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, float_array, frozen
from ..errors import InvalidModel
from ..portable import Portable
from ..seeds import generator
from ._build import check_size

SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class MultitaskBandit(Portable):
    """M bandits over X contexts and A actions that share φ_*.

    Parameters
    ----------
    phi
        (p, X, A, k) representations, rows of norm at most 1.
    heads
        (M, k) heads θ_i.
    true
        Index of φ_*.
    sigma
        Standard deviation of the Gaussian noise.
    B_theta
        Bound on ‖θ_i‖, known to the learner.

    Raises
    ------
    InvalidModel
        No representation, shapes that differ, norms above their bounds (the first is named), σ ≤ 0.

    Examples
    --------
    >>> MultitaskBandit([[[[1.0], [0.5]]]], [[0.5]]).means
    array([[[0.5 , 0.25]]])
    """

    phi: ArrayLike
    heads: ArrayLike
    true: int = 0
    sigma: float = 0.5
    B_theta: float = 1.0

    def __post_init__(self) -> None:
        phi, heads = check_class(self.phi), frozen(float_array(self.heads, "heads"))
        if heads.ndim != 2 or heads.shape[0] < 1 or heads.shape[1] != phi.shape[3]:
            raise InvalidModel(f"heads: shape={heads.shape}, must be (M, k) with M ≥ 1 and k={phi.shape[3]}")
        size = np.sqrt((heads**2).sum(axis=1))
        if not (size <= self.B_theta * (1 + SLACK)).all():
            i = int(np.argmin(size <= self.B_theta * (1 + SLACK)))
            raise InvalidModel(
                f"heads: ‖θ_{i}‖={size[i]:.6g} is above B_theta={self.B_theta}; raise it or scale the head"
            )
        if not (isinstance(self.true, (int, np.integer)) and 0 <= self.true < phi.shape[0]):
            raise InvalidModel(f"true={self.true}, representations are 0..{phi.shape[0] - 1}")
        if not 0 < self.sigma < np.inf:
            raise InvalidModel(f"sigma={self.sigma}, must be positive and finite")
        object.__setattr__(self, "phi", phi)
        object.__setattr__(self, "heads", heads)

    @classmethod
    def random(
        cls, seed: int | np.random.Generator, *, p: int = 64, X: int = 8, A: int = 5, k: int = 2, M: int = 4,
        sigma: float = 0.5,
    ) -> MultitaskBandit:  # fmt: skip
        """Representations and heads uniform on the sphere (normals, normalised; φ first), φ_* = φ_0."""
        check_size("MultitaskBandit.random", p=p, X=X, A=A, k=k, M=M)
        rng = generator(seed)
        phi = rng.standard_normal((p, X, A, k))
        heads = rng.standard_normal((M, k))
        phi /= np.sqrt((phi**2).sum(axis=-1, keepdims=True))
        heads /= np.sqrt((heads**2).sum(axis=-1, keepdims=True))
        return cls(phi, heads, 0, sigma)

    @property
    def features(self) -> FloatVec:
        """(p, X, A, k) the class."""
        return float_array(self.phi)

    @property
    def M(self) -> int:
        """Number of tasks."""
        return int(np.asarray(self.heads).shape[0])

    @cached_property
    def means(self) -> FloatVec:
        """(M, X, A) f*."""
        return frozen(np.einsum("xak,ik->ixa", self.features[self.true], float_array(self.heads)))

    def stream(self, T: int, seed: int | np.random.Generator) -> tuple[NDArray[np.int64], FloatVec]:
        """(T, M) contexts, uniform, and (T, M) noise: a round draws its contexts, then its noise."""
        rng = generator(seed)
        X = self.features.shape[1]
        contexts, noise = np.empty((T, self.M), dtype=np.int64), np.empty((T, self.M))
        for t in range(T):
            contexts[t] = rng.integers(X, size=self.M)
            noise[t] = rng.standard_normal(self.M) * self.sigma
        return contexts, noise

    def __repr__(self) -> str:
        p, X, A, k = self.features.shape
        return f"MultitaskBandit(|Φ|={p}, X={X}, A={A}, k={k}, M={self.M}, sigma={self.sigma})"


def check_class(phi: ArrayLike) -> FloatVec:
    """A finite class of representations as a read-only (p, X, A, k) array."""
    try:
        out = np.array(phi, dtype=np.float64)
    except ValueError:
        raise InvalidModel("phi: representations of different shapes; all need the same (X, A, k)") from None
    if out.ndim != 4 or 0 in out.shape:
        raise InvalidModel(f"phi: shape={out.shape}, must be (p, X, A, k) with at least one representation")
    size = np.sqrt((out**2).sum(axis=-1))
    if not (size <= 1 + SLACK).all():
        i = tuple(int(j) for j in np.argwhere(~(size <= 1 + SLACK))[0])
        raise InvalidModel(f"phi: ‖phi{list(i)}‖={size[i]:.6g}, norms must be at most 1; scale the class")
    return frozen(out)
