"""Large events are matched beside the event loop, in threads: hundreds of patterns, on an event with 100,000 objects,
take a minute, for which nobody else would be served."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.events import archive
from cloudlet.services.events.receiving import BusSubscribers, MatchedTargets


class Matched(NamedTuple):
    """Who takes an event, as a bus was when that was looked for."""

    receiver: BusSubscribers
    takers: MatchedTargets

    def of(self, receiver: BusSubscribers) -> MatchedTargets | None:
        """Return who takes it, unless the bus has changed since."""
        return self.takers if receiver is self.receiver else None


async def matched(account: str, receiver: BusSubscribers, document: dict[str, Any]) -> Matched:
    """Return who of an account's bus takes an event, as its JSON says."""
    return Matched(receiver, await run_in_worker(account, _takers, receiver, document))


def _takers(receiver: BusSubscribers, document: dict[str, Any]) -> MatchedTargets:
    found = MatchedTargets([], [])
    for each in receiver.candidates(document):
        if each.pattern.matches(document):
            found.rules.append(each)
        # Compiled modules do not let others have a turn by themselves.
        time.sleep(0)
    for kept in receiver.archives:
        if archive.admits(kept, document):
            found.archives.append(kept)
        time.sleep(0)
    return found
