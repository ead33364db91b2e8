"""Errors: what is wrong, the value, the rule it breaks, and what to do instead."""

from __future__ import annotations


class RLTheoryError(Exception):
    """Base class of every error raised on purpose by rltheory."""


class InvalidModel(RLTheoryError, ValueError):
    """A model's arrays break a rule; the message names the first offending index."""


class InvalidArgument(RLTheoryError, ValueError):
    """An argument of a function or solver is outside its range."""


class InvalidFile(RLTheoryError, ValueError):
    """A model file is malformed; the message names the file and line."""


class NotConverged(RLTheoryError, RuntimeError):
    """A solver stopped before its tolerance; the message says how far it got and what to raise."""


class ImproperPolicy(RLTheoryError, ValueError):
    """An undiscounted total is asked of a policy that may never terminate."""


class MissingBackend(RLTheoryError, ImportError):
    """An optional package is needed; the message is the install command."""


class OptimismLost(RLTheoryError, RuntimeError):
    """A learner's optimistic value fell below the optimum; the message names seed and episode."""
