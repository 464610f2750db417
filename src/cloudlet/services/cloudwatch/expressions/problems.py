"""What is wrong with an expression."""

from __future__ import annotations


class ExpressionProblem(Exception):
    """An expression that cannot be read or computed, and why."""


class NotBuilt(Exception):
    """A function that AWS has and Cloudlet has not."""
