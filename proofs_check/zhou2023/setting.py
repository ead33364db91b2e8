"""The paper of these claims."""

from __future__ import annotations

from rltheory.checks import Paper

PAPER = Paper(
    key="latent-mdp",
    authors="Zhou, Wang, Du",
    title="Horizon-Free and Variance-Dependent Reinforcement Learning for Latent Markov Decision Processes",
    year=2023,
    where="ICML 2023, arXiv 2210.11604",
)
