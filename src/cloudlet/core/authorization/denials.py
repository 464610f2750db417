"""The last denials, by request, so that people can ask why (`cloudlet why REQUEST-ID`)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from cloudlet.core.aws.policy import Decision
from cloudlet.core.kernel.clock import Clock

MAX_DENIALS: Final = 1000


class DenialSummary(msgspec.Struct, frozen=True):
    """A denied request: its id, the time (s), and AWS's sentence about it."""

    request_id: str
    at: float
    message: str


class Denials:
    """The decisions that refused requests, the last ones of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._decisions: OrderedDict[str, tuple[float, Decision]] = OrderedDict()

    def add(self, request_id: str, decision: Decision) -> None:
        """Keep a decision that refuses a request; of several the last one counts."""
        self._decisions[request_id] = self._clock.now(), decision
        while len(self._decisions) > MAX_DENIALS:
            self._decisions.popitem(last=False)

    def forget(self, request_id: str) -> None:
        """Drop what refused a request that went through after all, by another policy."""
        if request_id in self._decisions:
            del self._decisions[request_id]

    def list_last(self, limit: int) -> list[DenialSummary]:
        """Return the last denials, the latest one last."""
        last = list(self._decisions.items())[-limit:]
        return [DenialSummary(request_id, at, decision.message) for request_id, (at, decision) in last]

    def explain(self, request_id: str) -> str | None:
        """Return why a request was refused, in lines of text.

        Return None for a request that is not known.
        """
        found = self._decisions.get(request_id)
        return None if found is None else found[1].explanation
