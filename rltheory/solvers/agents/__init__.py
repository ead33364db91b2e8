"""Agents of `regret`: frozen values that make learners."""

from ...lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "base": "Agent CompiledLearner Learner Task",
        "optimistic": "BernsteinBonus EULER MVP UCBVI lower_bound",
        "others": "ExploreThenCommit PSRL QUCB RandomAgent UCRL2",
    },
)
