"""What is stored of a rule and its targets."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.events import bus_record
from cloudlet.services.events.bus_record import Place

Target = dict[str, Any]
"""A target as PutTargets has it."""


class Rule(msgspec.Struct, frozen=True):
    """A rule."""

    account: str
    region: str
    bus: str
    name: str
    state: str
    pattern: str = ""
    schedule: str = ""
    description: str = ""
    role: str = ""
    due: int = 0
    """When it runs next by its schedule, in milliseconds since the epoch; 0 where it does not."""
    managed: str = ""
    """The service that manages it, where one does."""
    creator: str = ""
    """The account that has created it, where that is not the one of the bus."""

    @property
    def place(self) -> Place:
        return Place(self.account, self.region, self.bus)

    @property
    def enabled(self) -> bool:
        return self.state != "DISABLED"

    @property
    def arn(self) -> str:
        return arn_of(self.place, self.name)


def arn_of(place: Place, name: str) -> str:
    """Return the ARN of a rule of a bus."""
    path = name if place.name == bus_record.DEFAULT else f"{place.name}/{name}"
    return str(Arn(partition_of(place.region), "events", place.region, place.account, f"rule/{path}"))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Rule).decode
decode_target = msgspec.msgpack.Decoder(dict[str, Any]).decode
