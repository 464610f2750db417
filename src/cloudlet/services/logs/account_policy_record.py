"""What is stored of an account's policy."""

from __future__ import annotations

from typing import Any

import msgspec


class Policy(msgspec.Struct, array_like=True):
    """A policy of an account."""

    name: str
    kind: str
    text: str
    selection: str | None
    updated: int
    """In milliseconds since the epoch."""
    excluded: list[str] = []
    """The log groups that it is not for."""
    subscription: int = 0
    """The number of its subscription filter, or of what audits for it."""

    def shown(self, account: str) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "policyName": self.name,
            "policyDocument": self.text,
            "lastUpdatedTime": self.updated,
            "policyType": self.kind,
            "scope": "ALL",
            "selectionCriteria": self.selection,
            "accountId": account,
        }


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(list[Policy]).decode
