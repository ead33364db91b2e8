"""Average reward: gain, bias, Laurent terms, multichain policy iteration, relative value iteration.

Work in progress: `AverageReward(criterion, method).run(mdp)`, `gain_bias(mdp, pi)`,
`laurent_terms(mdp, pi, K)`, `hitting_times(mdp, target)`, `diameter(mdp)`.
"""
