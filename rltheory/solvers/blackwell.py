"""Blackwell optimality: the exact threshold and the set of policies optimal for every γ near 1.

Work in progress: `blackwell(mdp)`, `blackwell_pairwise(mdp)`.
"""
