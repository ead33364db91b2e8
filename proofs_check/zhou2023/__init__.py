"""Zhou, Wang, Du: Horizon-Free and Variance-Dependent Reinforcement Learning for Latent MDPs (2023).

`setting` has the paper and random instances; `claims_planning*` are planning and variance, `claims_learning*`
optimism, confidence and regret, `experiments_learning` the regret experiments.
"""
