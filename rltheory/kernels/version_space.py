"""Sums over counts that weight-function methods compare: membership in a version space, minimax losses.

Data are counts N[h, s, a, s'] of n tuples a layer, rewards R[h, s, a], candidates F[f, h, s, a] (h = 0..H,
the last layer 0) and weights W[w, h, s, a], clipped here at `level`:

    m(f, w, h) = Ê[min(w, level)·(f_h(s, a) − r − max f_{h+1}(s'))],   q(w, h) = Ê[min(w, level)²].

`bellman_sums` makes the part that does not depend on w, once for a data set.
"""

from __future__ import annotations

from typing import Any

from ._jit import njit


@njit(cache=True)
def bellman_sums(N: Any, R: Any, F: Any, G: Any, C: Any) -> None:
    """G[f, h, s, a] = Σ_s' N·(f_h(s, a) − r − max f_{h+1}(s')), C[h, s, a] = Σ_s' N."""
    H, S, A = R.shape
    for h in range(H):
        for s in range(S):
            for a in range(A):
                C[h, s, a] = 0.0
                for t in range(S):
                    C[h, s, a] += N[h, s, a, t]
                for f in range(F.shape[0]):
                    x = 0.0
                    for t in range(S):
                        if N[h, s, a, t] > 0.0:
                            best = F[f, h + 1, t, 0]
                            for b in range(1, A):
                                best = max(best, F[f, h + 1, t, b])
                            x += N[h, s, a, t] * (F[f, h, s, a] - R[h, s, a] - best)
                    G[f, h, s, a] = x


@njit(cache=True)
def version_space(G: Any, C: Any, n: Any, W: Any, level: Any, alpha: Any, beta: Any, keep: Any) -> None:
    """keep[f] = all over h, w of m(f, w, h) − alpha·q(w, h) ≤ beta; n ≥ 1 tuples a layer."""
    nF, H, S, A = G.shape
    keep[:] = True
    for w in range(W.shape[0]):
        for h in range(H):
            q = 0.0
            for s in range(S):
                for a in range(A):
                    if C[h, s, a] > 0.0:
                        c = min(W[w, h, s, a], level)
                        q += c * c * C[h, s, a]
            bound = beta + alpha * (q / n)
            for f in range(nF):
                if not keep[f]:
                    continue
                m = 0.0
                for s in range(S):
                    for a in range(A):
                        if C[h, s, a] > 0.0:
                            m += min(W[w, h, s, a], level) * G[f, h, s, a]
                keep[f] = m / n <= bound


@njit(cache=True)
def minimax_losses(G: Any, C: Any, n: Any, W: Any, level: Any, alpha: Any, single: Any, out: Any) -> None:
    """out[f] = max over w of Σ_h (|m(f, w, h)| − alpha·q(w, h)); of every single term, too, if `single`."""
    nF, H, S, A = G.shape
    out[:] = -1e308
    for w in range(W.shape[0]):
        for f in range(nF):
            total = 0.0
            for h in range(H):
                m, q = 0.0, 0.0
                for s in range(S):
                    for a in range(A):
                        if C[h, s, a] > 0.0:
                            c = min(W[w, h, s, a], level)
                            m += c * G[f, h, s, a]
                            q += c * c * C[h, s, a]
                term = abs(m / n) - alpha * (q / n)
                total += term
                if single:
                    out[f] = max(out[f], term)
            out[f] = max(out[f], total)


@njit(cache=True)
def squared_losses(N: Any, R: Any, F: Any, after: Any, h: Any, out: Any) -> None:
    """out[f] = Σ over the tuples of layer h of (f_h(s, a) − r − after(s'))²."""
    S, A = R.shape[1], R.shape[2]
    for f in range(F.shape[0]):
        out[f] = 0.0
        for s in range(S):
            for a in range(A):
                for t in range(S):
                    gap = F[f, h, s, a] - R[h, s, a] - after[t]
                    out[f] += N[h, s, a, t] * gap * gap
