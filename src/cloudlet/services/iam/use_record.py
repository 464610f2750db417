"""Records of when something was used last."""

from __future__ import annotations

import msgspec


class Use(msgspec.Struct, frozen=True):
    """The last use of an access key, a role, or a service by it."""

    at: float
    service: str
    region: str
