"""What is stored of a delivery."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import Subspace
from cloudlet.services.events.rule_record import Rule, Target

ROWS = Subspace("delivery")


class Lane(NamedTuple):
    """What a rule has for one target, or for the dead-letter queue of one."""

    target: str
    rule: str
    """Both are ARNs."""

    @property
    def rows(self) -> Subspace:
        return ROWS.sub(*self)


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """A delivery. `noted` and `due` are in milliseconds since the epoch."""

    event: str
    """As JSON; empty in a row that refers to one."""
    rule: Rule
    target: Target
    noted: int
    due: int
    sequence: int
    hops: int = 0
    """How often a rule has handed the event on to another bus."""
    trace: str = ""
    """The entry's TraceHeader, which queues get as AWSTraceHeader."""
    attempts: int = 0
    """How often it has failed."""
    dead: dict[str, str] | None = None
    """What the message in the dead-letter queue says of why it is there; None while it is not given up."""
    token: bytes = b""
    """Tells deliveries apart whose sequence is the same: other processes count too, and a clock may stand."""
    shared: bytes = b""
    """The id of the event, where that is written beside its deliveries: see `shared_event`."""

    @property
    def lane(self) -> Lane:
        arn = self.target["Arn"] if self.dead is None else self.target["DeadLetterConfig"]["Arn"]
        return Lane(arn, self.rule.arn)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Delivery).decode
