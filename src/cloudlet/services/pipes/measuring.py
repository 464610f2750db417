"""What Pipes measures of itself. User guide, "Logging and monitoring Amazon EventBridge Pipes"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import get_metrics
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.pipe import Pipe


class Execution:
    """Counts one execution of a pipe."""

    def __init__(self, block: Block, pipe: Pipe, events: list[Event]) -> None:
        self._block = block
        self._pipe = pipe
        self._size = len(events)
        self._began = block.clock.now()
        self._add("Invocations", of_account=True)
        self._add("EventCount", float(len(events)))
        for event in events:
            self._add("EventSize", float(event.size), "Bytes")

    def _add(self, name: str, value: float = 1.0, unit: str = "None", *, of_account: bool = False) -> None:
        now = self._block.clock.now()
        account, region = self._pipe.account, self._pipe.region
        dimensions = [("PipeName", self._pipe.name)] + ([("AwsAccountId", account)] if of_account else [])
        for dimension in dimensions:
            get_metrics(self._block).add(account, region, name, (dimension,), now, value, unit=unit)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage, and whether it failed as a whole."""
        began = self._block.clock.now()
        failed = 1.0
        try:
            yield
            failed = 0.0
        finally:
            self._add(f"{name}StageDuration", (self._block.clock.now() - began) * 1000, "Milliseconds")
            self._add(f"{name}StageFailed", failed)

    def note_part(self, failed: bool) -> None:
        """The target has taken, or not taken, some of the events."""
        self._add("TargetStagePartiallyFailed", float(failed))

    def skip_target(self) -> None:
        """The enrichment has answered nothing: the target is not invoked."""
        self._add("TargetStageSkipped")

    def end(self, failed: int) -> None:
        """So many of the events failed."""
        self._add("Duration", (self._block.clock.now() - self._began) * 1000, "Milliseconds")
        self._add("ExecutionFailed", float(failed == self._size))
        self._add("ExecutionPartiallyFailed", float(0 < failed < self._size))
