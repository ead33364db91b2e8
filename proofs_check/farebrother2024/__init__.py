"""Farebrother and others: Stop Regressing, value functions by classification (arXiv 2403.03950, ICML 2024).

The paper is empirical; the claims are what its encodings and its loss do exactly.  `two_hot` and `hl_gauss`
have the encodings, `loss` the cross-entropy, `noise` random targets, order and scale, `fixed_points` the TD
fixed points, `experiments` the plots and the negative control of shifted targets.
"""
