"""What is wrong with a filter pattern."""

from __future__ import annotations


class PatternProblem(ValueError):
    """A filter pattern that cannot be read, and why."""
