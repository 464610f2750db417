"""What is wrong with a query."""

from __future__ import annotations


class QueryProblem(Exception):
    """A query that means nothing. Offsets count characters of the query; the end is exclusive."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


class Unanswerable(Exception):
    """Why a query cannot be answered that means something: it is found out when it runs."""


class NotBuilt(Exception):
    """Something of the language that Cloudlet does not have."""
