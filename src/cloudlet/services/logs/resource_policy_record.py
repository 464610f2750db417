"""What is stored of a resource policy."""

from __future__ import annotations

from typing import Any

import msgspec

OF_ACCOUNT, OF_RESOURCE = "ACCOUNT", "RESOURCE"


class Policy(msgspec.Struct, array_like=True, frozen=True):
    """A policy of an account, by its name, or of a log group, by its ARN."""

    scope: str
    name: str
    text: str
    updated: int
    """In milliseconds since the epoch."""
    revision: int

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        shown: dict[str, Any] = {
            "policyDocument": self.text,
            "lastUpdatedTime": self.updated,
            "policyScope": self.scope,
        }
        if self.scope == OF_ACCOUNT:
            return {"policyName": self.name, **shown}
        return {"resourceArn": self.name, "revisionId": str(self.revision), **shown}


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Policy).decode
