"""Why a message could not be given to a subscriber."""

from __future__ import annotations


class Undeliverable(Exception):
    """An attempt that failed. What is `permanent` is not tried again: it goes to the dead-letter queue, or is dropped.

    `status` is the HTTP status that the subscriber answered, None where there was no answer.
    """

    def __init__(self, reason: str, *, permanent: bool, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.status = status
