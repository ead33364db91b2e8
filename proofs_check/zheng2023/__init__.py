"""Zheng, Wang, Xu, Huang: Is Model Ensemble Necessary? … Lipschitz Regularized Value Function (2023).

`setting` has metric models, `bellman` one backup, `values` fixed points and policies, `local` local
constants, `smoothing` the constants of smoothed and regularised functions.
"""
