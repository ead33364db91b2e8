"""Components and attractors against brute force on small random graphs."""

import itertools

import numpy as np

from rltheory.kernels import graph, ordering


def random_pairs(rng, S):
    owner, rows = [], []
    for s in range(S):
        for _ in range(rng.integers(1, 4)):
            owner.append(s)
            rows.append(np.sort(rng.choice(S, size=rng.integers(1, min(S, 3) + 1), replace=False)))
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    return np.array(owner), np.concatenate(rows), indptr, rows


def reachable(adj):
    """Transitive closure, reflexive."""
    R = adj | np.eye(len(adj), dtype=bool)
    for k in range(len(adj)):
        R |= R[:, k : k + 1] & R[k]
    return R


def test_recurrent_classes_by_closure():
    rng = np.random.default_rng(0)
    for _ in range(200):
        S = int(rng.integers(1, 6))
        P = rng.random((S, S)) * (rng.random((S, S)) < 0.35)
        P[P.sum(1) == 0, 0] = 1
        R = reachable(P > 0)
        recurrent = {s for s in range(S) if all(R[t, s] for t in range(S) if R[s, t])}
        want = sorted({tuple(t for t in range(S) if R[s, t]) for s in recurrent})
        assert [tuple(c.tolist()) for c in graph.recurrent_classes(P)] == want


def test_end_components_are_the_union_of_all_closed_communicating_sets():
    rng = np.random.default_rng(1)
    for _ in range(60):
        S = int(rng.integers(1, 5))
        owner, indices, indptr, rows = random_pairs(rng, S)
        use = rng.random(owner.size) < 0.8
        label, inside = graph.end_components(indices, indptr, owner, S, use)
        best = {}
        for r in range(1, S + 1):
            for states in itertools.combinations(range(S), r):
                pairs = [
                    k
                    for k in range(owner.size)
                    if use[k] and owner[k] in states and set(rows[k]) <= set(states)
                ]
                adj = np.zeros((S, S), dtype=bool)
                for k in pairs:
                    adj[owner[k], rows[k]] = True
                R = reachable(adj)
                if {int(owner[k]) for k in pairs} == set(states) and all(
                    R[s, t] for s in states for t in states
                ):
                    for s in states:
                        if len(states) > len(best.get(s, ())):
                            best[s] = states
                    assert inside[pairs].all()
        for s in range(S):
            assert (label[s] >= 0) == (s in best)
            if s in best:
                assert np.flatnonzero(label == label[s]).tolist() == list(best[s])


def test_attractor_levels_are_shortest_positive_paths():
    rng = np.random.default_rng(2)
    for _ in range(100):
        S = int(rng.integers(2, 7))
        owner, indices, indptr, rows = random_pairs(rng, S)
        target = np.zeros(S, dtype=bool)
        target[rng.integers(S)] = True
        level, pair = graph.attractor(indices, indptr, owner, S, target)
        dist = np.where(target, 0, 99)
        for _ in range(S):
            for k in range(owner.size):
                dist[owner[k]] = min(dist[owner[k]], 1 + dist[rows[k]].min())
        assert (level == np.where(dist >= 99, -1, dist)).all()
        for s in np.flatnonzero(level > 0):
            assert owner[pair[s]] == s
            assert level[rows[pair[s]]][level[rows[pair[s]]] >= 0].min() == level[s] - 1


def test_support_drops_zeros():
    indices, indptr = graph.support(
        np.array([0.5, 0.0, 0.5, 1.0]), np.array([0, 1, 2, 1]), np.array([0, 3, 4])
    )
    assert indices.tolist() == [0, 2, 1]
    assert indptr.tolist() == [0, 2, 3]


def test_facts_of_the_numbering_by_definition():
    """Band, directions and absorbing states, whether or not the look ends early."""
    rng = np.random.default_rng(3)
    wide = early = loose = 0
    for _ in range(400):
        S, reach = int(rng.integers(1, 30)), int(rng.integers(0, 8))
        lo, hi = ((0, reach), (-reach, 0), (-reach, reach))[rng.integers(3)]
        rows = [
            np.unique(np.clip(s + rng.integers(lo, hi + 1, 3), 0, S - 1)) for s in np.repeat(np.arange(S), 2)
        ]
        for s in rng.choice(S, size=S // 3, replace=False):
            rows[2 * s] = rows[2 * s + 1] = np.array([s])
        step = np.concatenate(rows) - np.repeat(np.repeat(np.arange(S), 2), [len(r) for r in rows])
        ptr = np.append(0, np.cumsum([len(r) for r in rows])).astype(np.uint64)
        columns = np.concatenate(rows).astype(np.uint32)
        seen = ordering.facts(columns, ptr, np.arange(0, 2 * S + 1, 2).astype(np.uint64), 3)
        band = int(np.abs(step).max())
        assert seen.band == band if band <= 3 else 3 < seen.band <= band
        assert (seen.up, seen.down) == (bool((step > 0).any()), bool((step < 0).any()))
        alone = [all((rows[2 * s + a] == s).all() for a in range(2)) for s in range(S)]
        assert seen.absorbing == sum(alone)
        wide, early, loose = wide + (band > 3), early + (seen.band < band), loose + sum(alone)
    assert wide > 50 and early > 10 and loose > 50
