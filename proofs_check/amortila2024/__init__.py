"""Amortila, Foster, Jiang, Sekhari, Xie: Harnessing Density Ratios for Online Reinforcement Learning (2024).

`setting` has layered models, sequences of laws and the slow definitions; `coverage` and `emissions` are about
coverability, `potentials` about the elliptic and coverability potentials, `clipping` about clipped ratios,
`functions` about Bellman errors, `transfer` about what membership implies (with two errata), `hyglow` and
`risk` about the hybrid reduction, `runs` about GLOW itself.
"""
