"""Events as rules match them and as targets get them. User guide, "Amazon EventBridge events"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from cloudlet.core.ids import uuid4


class Event(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An event, in the order of AWS's members. `detail` is JSON as it was given."""

    version: str
    id: str
    detail_type: str
    source: str
    account: str
    time: str
    region: str
    resources: Sequence[str]
    detail: msgspec.Raw

    @property
    def text(self) -> str:
        """The event as JSON."""
        return _encode(self).decode()

    def document(self, detail: dict[str, Any]) -> dict[str, Any]:
        """Return what the event says; `detail` is what its detail does."""
        return {
            "version": self.version,
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.account,
            "time": self.time,
            "region": self.region,
            "resources": list(self.resources),
            "detail": detail,
        }


_encode = msgspec.json.Encoder().encode


def made(
    source: str, kind: str, account: str, region: str, time: float, resources: Sequence[str], detail: str
) -> Event:
    """Return a new event; `time` is in seconds since the epoch, `detail` a JSON object."""
    return Event(
        "0", uuid4(), kind, source, account, timestamp(int(time)), region, resources, msgspec.Raw(detail.encode())
    )


LATEST = 253_402_300_800
"""The end of the year 9999, in seconds since the epoch: no event happens later, and none before the epoch."""


@lru_cache(64)
def timestamp(seconds: int) -> str:
    """Return a time as events have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
