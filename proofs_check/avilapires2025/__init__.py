"""Ávila Pires et al.: Optimizing Return Distributions with Distributional Dynamic Programming (2025).

`definitions` has laws and utilities, `setting` models and random instances.  Structure: `structure` (stock,
operator, contraction, monotonicity), `conditions` (mixtures), `scaling` (γ), `stockless` (no stock).
Approximation: `projections`, `fixed_points`, `nesting`, `quantiles` (projected laws), `control` (choosing
with them), `stock_grids` and `time_grids` (stocks on a grid or lattice).  `experiments` draws.
"""
