"""Amortila, Foster, Jiang, Sekhari, Xie: Harnessing Density Ratios for Online Reinforcement Learning (2024).

`setting` has layered models, sequences of laws and the slow definitions; `coverage` coverability, `potentials`
the elliptic and coverability potentials, `clipping` clipped ratios, `functions` Bellman errors, `transfer` what
membership implies (with two errata), `risk` the hybrid reduction, `runs` GLOW itself.
"""
