"""Blondé, Strasser, Kalousis: Lipschitzness Is All You Need To Tame Off-policy … Imitation Learning (2022).

`setting` has smooth deterministic systems, `gradients` the bounds and the summarised formula beside them,
`necessity` a value that is nowhere Lipschitz, `rewards` preconditioning and adversarial rewards, `stochastic`
kernels on lines.
"""
