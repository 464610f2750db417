"""What is stored of a lookup table, besides its content."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.arn import partition_of


class LookupTable(msgspec.Struct, array_like=True):
    """A table that queries look things up in."""

    account: str
    region: str
    name: str
    description: str | None
    updated: int
    """In milliseconds since the epoch."""
    fields: list[str]
    """The names of its columns."""
    records: int
    size: int
    """In bytes."""
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "logs", self.region, self.account, f"lookup-table:{self.name}"))

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "lookupTableArn": self.arn,
            "lookupTableName": self.name,
            "description": self.description,
            "tableFields": self.fields,
            "recordsCount": self.records,
            "sizeBytes": self.size,
            "lastUpdatedTime": self.updated,
        }


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(LookupTable).decode
