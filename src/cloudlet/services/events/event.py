"""Events as rules match them and as targets get them. User guide, "Amazon EventBridge events"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import event_record
from cloudlet.services.events.event_record import Event


def text(event: Event) -> str:
    """Return an event as JSON."""
    return event_record.encode(event).decode()


def with_id(text: str, id: str) -> str:
    """Return an event, as JSON, with another id."""
    members = _members(text)
    members["id"] = msgspec.Raw(_encode(id))
    return _encode(members).decode()


def document(event: Event, detail: dict[str, Any]) -> dict[str, Any]:
    """Return what an event says; `detail` is what its detail does."""
    return {
        "version": event.version,
        "id": event.id,
        "detail-type": event.detail_type,
        "source": event.source,
        "account": event.account,
        "time": event.time,
        "region": event.region,
        "resources": list(event.resources),
        "detail": detail,
    }


def made(
    source: str, kind: str, account: str, region: str, time: float, resources: Sequence[str], detail: str
) -> Event:
    """Return a new event; `time` is in seconds since the epoch, `detail` a JSON object, told without spaces."""
    compact = msgspec.Raw(_format(detail.encode(), indent=_COMPACT))
    return Event("0", uuid4(), kind, source, account, iso8601.second(int(time)), region, resources, compact)


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_format: Final = msgspec.json.format
_COMPACT: Final = -1
LATEST: Final = 253_402_300_800
"""The end of the year 9999, in seconds since the epoch: no event happens later, and none before the epoch."""
