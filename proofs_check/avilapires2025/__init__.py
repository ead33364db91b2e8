"""Ávila Pires et al.: Optimizing Return Distributions with Distributional Dynamic Programming (2025).

`setting` has what the claims let x be; `structure` the stock, the operator and the conditions on the
functional; `projections`, `fixed_points`, `approximate_control` and `stock_grids` what is lost by atoms on
a grid; `experiments` the pictures.
"""
