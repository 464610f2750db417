"""Which records pass a mapping's filter. Developer guide, "Control which events Lambda sends to your function"."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core.aws import event_pattern
from cloudlet.core.aws.polling import filtering
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.lambda_.mappings.mapping import Mapping


class _Filter:
    """One pattern."""

    def __init__(self, text: str) -> None:
        self._pattern = event_pattern.compile(text)
        self._asks_for_body = _names(msgspec.json.decode(text), "body")

    def passes(self, document: dict[str, Any]) -> bool:
        """Whether a record matches.

        A body that is a JSON object is matched as such, wherever in the pattern it is asked for: by what is in it, and
        not by its text; any other body by its text, and not by what is in it ("Filtering with Amazon SQS").
        """
        if self._asks_for_body and isinstance(body := document.get("body"), str):
            return self._pattern.matches({**document, "body": _read(body)})
        return self._pattern.matches(document)


def _names(pattern: dict[str, Any], name: str) -> bool:
    """Whether a pattern, or one of its alternatives, says what a field of a record is to be."""
    alternatives = pattern.get("$or")
    return name in pattern or (isinstance(alternatives, list) and any(_names(each, name) for each in alternatives))


def _read(body: str) -> dict[str, Any] | str:
    """Return what a body is: an object, or else its text."""
    if not body.lstrip().startswith("{"):
        return body
    try:
        found: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return body
    return found


_known: Final[SizedCache[str, _Filter]] = SizedCache(1 << 19)
"""Filters by their texts; one takes up to 90 bytes for each of its characters."""


async def passing(mapping: Mapping, batch: list[Record]) -> list[Record]:
    """Return the records that match one of the mapping's patterns, or all where it has none."""
    if not mapping.filters:
        return batch
    filters = [_known.get_or_add(text, _Filter, len(text)) for text in mapping.filters]

    def passes(record: Record) -> bool:
        return any(each.passes(record.document) for each in filters)

    return await filtering.filter_records(mapping.account, batch, passes)
