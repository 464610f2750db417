"""The last denials, by request, so that people can ask why (`cloudlet why REQUEST-ID`)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from cloudlet.core.aws.policy import Decision

_MAX_DENIALS: Final = 1000


class Denials:
    """The decisions that refused requests, the last ones of this process."""

    def __init__(self) -> None:
        self._decisions: OrderedDict[str, Decision] = OrderedDict()

    def add(self, request_id: str, decision: Decision) -> None:
        """Keep the decision that refused a request; the first one counts."""
        self._decisions.setdefault(request_id, decision)
        while len(self._decisions) > _MAX_DENIALS:
            self._decisions.popitem(last=False)

    def explain(self, request_id: str) -> str | None:
        """Return why a request was refused, in lines of text.

        Return None for a request that is not known.
        """
        decision = self._decisions.get(request_id)
        return None if decision is None else decision.explanation
