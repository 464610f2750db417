"""How many invocations run at once, and how many may.

Developer guide, "Understanding Lambda function scaling": an account's region has a limit, of which functions may
reserve a part for themselves, which is then their own limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.background.fair_semaphore import decrement
from cloudlet.services.lambda_.functions.function import Place


class Room(NamedTuple):
    """How many invocations may run at once."""

    reserved: int | None
    """Of the function; None where it has nothing reserved."""
    unreserved: int
    """Of all functions of the account that have nothing reserved."""
    provisioned: int = 0
    """Of the reserved ones, those for which processes are kept ready, of whatever versions."""
    ready: int = 0
    """The number that is kept ready for the version that is invoked."""


class Use(NamedTuple):
    """The use of what is kept ready for a version or an alias."""

    qualifier: str
    running: int
    """Invocations, that of which this tells among them."""
    ready: int

    @property
    def is_over(self) -> bool:
        """Whether the invocation has to do without."""
        return self.running > self.ready


class Concurrency:
    """The invocations that are running."""

    def __init__(self) -> None:
        self.on_freed: Callable[[Place], None] | None = None
        """Is told of each function of which an invocation has ended."""
        self.ended = 0
        """How many invocations have ended, of whatever functions."""
        self._of_functions: Counter[Place] = Counter()
        self._by_ready: Counter[tuple[Place, str]] = Counter()
        """Function and qualifier → invocations by what is kept ready for it."""
        self._by_others: Counter[Place] = Counter()
        self._ready: dict[tuple[Place, str], int] = {}
        """Function and qualifier → the number that is kept ready."""
        self._by_qualifier: Counter[tuple[Place, str]] = Counter()
        """Function and qualifier → invocations, where something is kept ready."""
        self._unreserved: Counter[tuple[str, str]] = Counter()
        """Account and region → invocations of functions that have reserved nothing."""

    def of(self, place: Place) -> int:
        """Return how many invocations of a function are running."""
        return self._of_functions[place]

    def set_ready(self, place: Place, qualifier: str, count: int) -> None:
        """Note how many are kept ready for a version or an alias."""
        if count:
            self._ready[place, qualifier] = count
        else:
            self._ready.pop((place, qualifier), None)

    @contextmanager
    def use_ready(self, place: Place, qualifiers: Iterable[str]) -> Iterator[Use | None]:
        """Count an invocation for the first qualifier that something is kept ready for."""
        named = next(((place, each) for each in qualifiers if (place, each) in self._ready), None)
        if named is None:
            yield None
            return
        self._by_qualifier[named] += 1
        try:
            yield Use(named[1], self._by_qualifier[named], self._ready[named])
        finally:
            decrement(self._by_qualifier, named)

    @contextmanager
    def one_more(self, place: Place, qualifier: str, room: Room) -> Iterator[None]:
        """One invocation, while the `with` block runs. Raises AwsError where there may be no more."""
        region, named = (place.account, place.region), (place, qualifier)
        reserved = room.reserved
        is_by_ready = self._by_ready[named] < room.ready
        if not is_by_ready and reserved is not None and self._by_others[place] >= reserved - room.provisioned:
            raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        if reserved is None and self._unreserved[region] >= room.unreserved:
            raise _throttled("ConcurrentInvocationLimitExceeded")
        self._of_functions[place] += 1
        if is_by_ready:
            self._by_ready[named] += 1
        else:
            self._by_others[place] += 1
        if reserved is None:
            self._unreserved[region] += 1
        try:
            yield
        finally:
            decrement(self._of_functions, place)
            if is_by_ready:
                decrement(self._by_ready, named)
            else:
                decrement(self._by_others, place)
            if reserved is None:
                decrement(self._unreserved, region)
            self.ended += 1
            if self.on_freed is not None:
                self.on_freed(place)


def _throttled(reason: str) -> AwsError:
    return AwsError("TooManyRequestsException", "Rate Exceeded.", status=429, Reason=reason)
