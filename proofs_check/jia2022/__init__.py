"""Jia and Zhou: Policy Evaluation and Temporal-Difference Learning in Continuous Time and Space (2022).

`setting` has the instances, `characterisation` and `orthogonality` what martingales say of values,
`variation` the limit of the mean-square TD error and `minimisers` where it leads, `black_scholes` the same
for an option price, `loss` the martingale loss, `conditions` test functions, `gmm` several of them at once,
`stability` of CTD(0), `paths` identities on single paths, `rates` what grids cost, `bias` when they cost
nothing, `sampling` CLSTD from data.
"""
