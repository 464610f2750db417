"""How many invocations run at once, and how many may.

Developer guide, "Understanding Lambda function scaling": an account's region has a limit, of which functions may
reserve a part for themselves, which is then their own limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cloudlet.core import AwsError
from cloudlet.core.shares import take_off
from cloudlet.services.lambda_.function import Place


class Concurrency:
    """The invocations that are running."""

    def __init__(self) -> None:
        self._of_functions: Counter[Place] = Counter()
        self._unreserved: Counter[tuple[str, str]] = Counter()
        """Account and region → invocations of functions that have reserved nothing."""

    def of(self, place: Place) -> int:
        """Return how many invocations of a function are running."""
        return self._of_functions[place]

    @contextmanager
    def one_more(self, place: Place, reserved: int | None, unreserved_limit: int) -> Iterator[None]:
        """One invocation, while the `with` block runs. Raises AwsError where there may be no more."""
        region = (place.account, place.region)
        if reserved is not None and self._of_functions[place] >= reserved:
            raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        if reserved is None and self._unreserved[region] >= unreserved_limit:
            raise _throttled("ConcurrentInvocationLimitExceeded")
        self._of_functions[place] += 1
        if reserved is None:
            self._unreserved[region] += 1
        try:
            yield
        finally:
            take_off(self._of_functions, place)
            if reserved is None:
                take_off(self._unreserved, region)


def _throttled(reason: str) -> AwsError:
    return AwsError("TooManyRequestsException", "Rate Exceeded.", status=429, Reason=reason)
