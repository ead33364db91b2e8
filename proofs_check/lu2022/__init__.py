"""Lu, Zhao, Du, Huang: General Function Class Representation Learning in Multitask Bandits and MDPs (2022).

`setting` has logs and confidence sets in rationals; `ridge` the identities behind them, `coverage` the
probability that the truth is in the set, outcome by outcome, `optimism` the shared radius and what it
implies, `eluder` the eluder dimension and the count of wide rounds, `runs` coverage and regret of simulated
play.
"""
