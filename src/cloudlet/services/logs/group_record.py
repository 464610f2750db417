"""What is stored of a log group."""

from __future__ import annotations

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.arn import partition_of

DAY_MILLIS = 86_400_000


class Group(msgspec.Struct, array_like=True):
    """A log group. Times are in milliseconds since the epoch."""

    id: int
    account: str
    region: str
    name: str
    created: int
    retention: int | None = None
    """Days."""
    tags: dict[str, str] = {}
    protected: bool = False
    """Whether it cannot be deleted."""
    filters: int = 0
    """How many metric filters it has."""
    tailed_until: int = 0
    """Until when somebody may want to know of each event that comes."""
    subscriptions: list[int] = []
    """The numbers of its subscription filters."""
    audit: int = 0
    """The number of what audits its events, where it has a data protection policy."""
    protection: str | None = None
    """The state of its data protection policy, as the API names it; None where it never had one."""
    kms_key: str = ""
    """The ARN of the KMS key of new events. It is empty where they are not encrypted."""
    data_key: int = 0
    """The number of the data key that encrypts them, the last one of the group."""

    @property
    def arn(self) -> str:
        return arn_of(self.region, self.account, self.name)

    def horizon(self, now: float) -> int:
        """Return before which time (ms) events have expired, at a time in seconds."""
        return 0 if self.retention is None else int(now * 1000) - self.retention * DAY_MILLIS


def arn_of(region: str, account: str, name: str) -> str:
    """Return the ARN of a log group."""
    return str(Arn(partition_of(region), "logs", region, account, f"log-group:{name}"))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Group).decode
