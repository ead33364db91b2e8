"""Agrawalla, Nauman, Kumar: What Does Flow Matching Bring To TD Learning? (arXiv 2603.04333, ICML 2026).

The paper's theorem statements were not at hand; the claims are what its mechanisms do exactly in one
dimension.  `recovery` has the last step and the factors by which errors fade, `errors` what they add up to,
`readout_bias` random targets and the bias of the mean readout, `representation` affine collapse and frozen
features, `experiments` the curves.
"""
