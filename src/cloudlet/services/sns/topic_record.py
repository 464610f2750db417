"""What is stored of a topic.

Below ("t", number) is whatever goes away with the topic: a deletion is one range deletion, however many subscriptions
there are. "s" has the subscriptions; other subjects take keys of their own there.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from cloudlet.core import Arn, Subspace
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.sns import limits


class Topic(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What is stored of a topic. `created` is in milliseconds since the epoch."""

    number: int
    """Prefix of the keys of all that belongs to the topic; no other topic has or had it."""
    account: str
    region: str
    name: str
    created: int
    attributes: dict[str, str]
    """The attributes that were set, by AWS's names; for all others the defaults apply."""
    tags: dict[str, str]
    version: int
    """Goes up with every change of the topic or of its subscriptions: (number, version) names a state for caches."""

    @cached_property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)

    @cached_property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @cached_property
    def all(self) -> Subspace:
        """Everything that goes away with the topic."""
        return Subspace("t", self.number)

    @cached_property
    def maximum_message_bytes(self) -> int:
        return int(self.attributes.get("MaximumMessageSize", limits.MESSAGE_BYTES))


def arn_of(account: str, region: str, name: str) -> str:
    """Return the ARN of the topic with a name."""
    return str(Arn(partition_of(region), "sns", region, account, name))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Topic).decode
