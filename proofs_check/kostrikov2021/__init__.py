"""Kostrikov, Nair, Levine: Offline Reinforcement Learning with Implicit Q-Learning (arXiv 2110.06169).

`expectile` has the expectile itself, `operator` the operator T_τ and its fixed point, `limits` the behaviour
as τ → 1, `extraction` the policies read off Q_τ, `gadgets` the constructions, `experiments` the U-maze.
"""
