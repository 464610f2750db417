"""The one error of this package: a document that is not a policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class PolicyError(ValueError):
    """A policy document breaks the grammar of the policy language.

    ``message`` says what is wrong, in AWS's words where AWS's words are known; ``where`` is the path of
    the offending element, such as ``Statement[2].Condition.IpAddress.aws:SourceIp``, empty for the whole
    document. A service answers it as its own error (``MalformedPolicyDocument``, ``MalformedPolicy``, …).
    """

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(message, where)
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.message} (at {self.where})" if self.where else self.message


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say of a `PolicyError` raised inside that it is at ``where``."""
    try:
        yield
    except PolicyError as error:
        raise PolicyError(error.message, where) from None
