"""Which events pass a pipe's filter. User guide, "Event filtering in Amazon EventBridge Pipes"."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core.aws import event_pattern
from cloudlet.core.aws.polling import filtering
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.pipes.event import Event, decoded
from cloudlet.services.pipes.pipe import Pipe


class _Filter:
    """One pattern."""

    def __init__(self, text: str) -> None:
        self._pattern = event_pattern.compile(text)
        asked = json.loads(text).get("body")
        self._wants_json = isinstance(asked, dict)
        self._wants_text = isinstance(asked, list)

    def passes(self, decoded: Any) -> bool:
        """Whether an event matches; a pattern of one format drops bodies of the other."""
        if not isinstance(decoded, dict):
            return False
        is_json = isinstance(decoded.get("body"), dict | list)
        if (self._wants_json and not is_json) or (self._wants_text and is_json):
            return False
        return self._pattern.matches(decoded)


_known: Final[SizedCache[str, _Filter]] = SizedCache(1 << 19)
"""Filters by their texts; one takes up to 90 bytes for each of its characters."""


async def passing(pipe: Pipe, events: list[Event]) -> list[Event]:
    """Return the events that match one of the pipe's patterns, or all where it has none."""
    if not pipe.filters:
        return events
    filters = [_known.get_or_add(text, _Filter, len(text)) for text in pipe.filters]

    def passes(event: Event) -> bool:
        document = decoded(event)
        return any(each.passes(document) for each in filters)

    return await filtering.filter_records(pipe.account, events, passes)
