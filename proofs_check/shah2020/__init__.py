"""Shah, Song, Xu, Yang: Sample Efficient RL via Low-Rank Matrix Estimation (NeurIPS 2020).

`setting` has crosses of low-rank matrices; `estimator` the cross estimate and its noise amplification,
`iteration` the algorithm, its schedule and its threshold, `followups` later work, `completion` the
estimators it replaces; `experiments` and `phases` the control tasks and a phase diagram, `large` one of
full size.
"""
