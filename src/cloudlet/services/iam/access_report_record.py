"""The record of a report on services that were accessed last."""

from __future__ import annotations

import msgspec


class AccessReport(msgspec.Struct, frozen=True):
    """A report that was asked for; what it tells is read when it is shown."""

    arn: str
    created: float
