"""A stage of a pipe, its enrichment or its target, that failed."""

from __future__ import annotations


class StageFailed(Exception):
    """None of a batch was taken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
