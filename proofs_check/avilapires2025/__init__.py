"""Ávila Pires et al.: Optimizing Return Distributions with Distributional Dynamic Programming (2025).

`definitions` has laws and utilities, `setting` models and random instances.  Structure: `structure` (stock,
operator, contraction), `monotonicity`, `improvement`, `conditions` (mixtures), `scaling` (γ), `stockless`.
Optimality: `optimality` (over histories), `time_indexed` (utilities that mind γ), `value_iteration`,
`policy_iteration`, `several_policies`, `reductions` (to classic rewards; mean rewards), `certificates`.
What the stock buys: `stock_value` (one set of laws for all stocks), `risk`, `levels` (CVaR and its bounds),
`outer` (optimistic CVaR: a coin), `suprema` (quantiles, variance, mean − std), `targets`, `constraints`,
`vector` (homeostasis), `applications` (the experiments in numbers).
Approximation: `projections`, `fixed_points`, `nesting`, `quantiles`, `evaluated` (projected laws), `control`
(choosing with them), `stock_grids`, `time_grids` (stocks on a grid or lattice).  `experiments` draws.
"""
