"""A published message, as it is kept until all of its deliveries are settled."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from cloudlet.core.aws.data_keys import Envelope


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    """A message attribute. (Developer guide, "Amazon SNS message attributes".)"""

    type: str
    """As given: String, Number, String.Array, Binary."""
    value: Any
    """A string, or bytes where the type is Binary. (msgspec knows no union of the two, but keeps them apart.)"""


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What was published, once for all of its subscribers."""

    id: str
    topic: str
    """The topic's ARN; empty for what is published to an endpoint or a phone number directly."""
    published: int
    """Milliseconds since the epoch."""
    subject: str | None
    bodies: dict[str, str]
    """The text for each protocol; that for "default" is always there."""
    attributes: dict[str, Attribute]
    group: str | None = None
    deduplication: str | None = None
    sequence: str | None = None
    replayed: bool = False
    """Whether it comes from an archive, once more."""
    trace: str | None = None
    """The trace header that it was published with (X-Ray developer guide, "Amazon SNS and AWS X-Ray")."""
    traced: bool = False
    """Whether X-Ray is told of it and of its deliveries."""
    envelope: Envelope | None = None
    """The encrypted bodies, of a topic with a key of KMS.

    They are kept in no other form then.
    """

    def body_for(self, protocol: str) -> str:
        """The text that subscribers of this protocol get."""
        text = self.bodies.get(protocol)
        return self.bodies["default"] if text is None else text


def strip(message: Message) -> Message:
    """Return a message as it is stored: with encrypted bodies alone."""
    return message if message.envelope is None else replace(message, bodies={})
