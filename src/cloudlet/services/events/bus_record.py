"""What is stored of an event bus, and how one is named."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.arn import partition_of

DEFAULT = "default"
PREFIX = "event-bus/"
_KEPT = 512
"""So many buses are kept decoded."""


class Place(NamedTuple):
    """Which bus."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "events", self.region, self.account, f"{PREFIX}{self.name}"))


class Bus(msgspec.Struct, frozen=True):
    """A bus. Times are in seconds since the epoch; 0 for a default bus that was never changed."""

    account: str
    region: str
    name: str
    created: float = 0.0
    modified: float = 0.0
    description: str = ""
    policy: str = ""
    """A policy of resources, as JSON; empty where there is none."""

    @property
    def place(self) -> Place:
        return Place(self.account, self.region, self.name)


encode = msgspec.msgpack.Encoder().encode
decode = lru_cache(_KEPT)(msgspec.msgpack.Decoder(Bus).decode)
