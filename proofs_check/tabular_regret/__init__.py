"""Regret of tabular learners: UCBVI, MVP, Q-learning, posterior sampling and what bounds them.

`sequences` has the weights and sums the proofs rest on, `bonuses` the monotone bonus, `planning` optimism and
the decomposition of regret, `planners` total variance and what planners compute, `lower` the bandit bound,
`rates` what is measured: published bounds, growth with K and with H, problems without randomness.
`experiments` and `figures` draw them.
"""
