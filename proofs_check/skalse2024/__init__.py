"""Skalse et al.: STARC: A General Framework For Quantifying Differences Between Reward Functions (2024).

`setting` has environments, rewards and the slow definitions; `algebra` canonicalisation and policy orders,
`metric` the distances, `regret` the geometry of worst-case regret, `constants` soundness and completeness,
`epic` EPIC and DARD.
"""
