"""How often each operation of a block was called, for CloudWatch's `AWS/Usage`.

CloudWatch User Guide, "AWS usage metrics". What blocks call of each other is not the account's usage;
what nobody has signed is no account's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core.telemetry.metrics import Metrics, Values

if TYPE_CHECKING:
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.kernel.service import Handler, Params, Result, Service
    from cloudlet.wire import WireError

_NAMESPACE: Final = "AWS/Usage"
_MOST: Final = 20_000
"""So many operations of accounts are counted between two reports; calls of more are not."""


class Usage:
    """The calls since the last report."""

    def __init__(self, service: Service) -> None:
        self._named = service.namespace.removeprefix("AWS/") or service.name
        self.metrics = Metrics(_NAMESPACE)
        self._calls: dict[tuple[str, str, str], int] = {}
        """Account, region and operation → how often."""

    def count(self, ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None) -> None:
        """Count a call."""
        if ctx.principal.kind in ("service", "anonymous"):
            return
        key = (ctx.account, ctx.region, handler.name)
        calls = self._calls
        if key in calls:
            calls[key] += 1
        elif len(calls) < _MOST:
            calls[key] = 1

    def close(self, at: float) -> None:
        """Make the calls so far a part of the minute of a time, in seconds since the epoch, and count anew."""
        calls, self._calls = self._calls, {}
        for (account, region, operation), count in calls.items():
            dimensions = (("Type", "API"), ("Resource", operation), ("Service", self._named), ("Class", "None"))
            self.metrics.include(account, region, "CallCount", dimensions, at, Values.ones(count), "None")
