"""Which records pass a mapping's filter. Developer guide, "Control which events Lambda sends to your function"."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from cloudlet.core import event_pattern
from cloudlet.core.polling.record import Record
from cloudlet.services.lambda_.mapping import Mapping


class _Filter:
    """One pattern."""

    def __init__(self, text: str) -> None:
        self._pattern = event_pattern.compile(text)
        asked = msgspec.json.decode(text).get("body")
        self._wants_json = isinstance(asked, dict)

    def passes(self, document: dict[str, Any]) -> bool:
        """Whether a record matches; where the pattern says what is in a body, a body that is no JSON does not."""
        if not self._wants_json:
            return self._pattern.matches(document)
        try:
            body = msgspec.json.decode(document.get("body") or "")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return isinstance(body, dict) and self._pattern.matches({**document, "body": body})


_compiled = lru_cache(1024)(_Filter)


def passing(mapping: Mapping, batch: list[Record]) -> list[Record]:
    """Return the records that match one of the mapping's patterns, or all where it has none."""
    if not mapping.filters:
        return batch
    filters = [_compiled(text) for text in mapping.filters]
    return [record for record in batch if any(each.passes(record.document) for each in filters)]
