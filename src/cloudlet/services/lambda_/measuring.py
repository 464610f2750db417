"""What Lambda measures of functions, for CloudWatch. Developer guide, "Types of metrics for Lambda functions"."""

from __future__ import annotations

from collections.abc import Iterator

from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.metrics import Dimensions, get_metrics, is_measured
from cloudlet.services.lambda_.execution.concurrency import Use
from cloudlet.services.lambda_.execution.invocation import Outcome
from cloudlet.services.lambda_.functions.directory import Resolved
from cloudlet.services.lambda_.functions.function import Place


def running(block: Block, found: Resolved, count: int) -> None:
    """Note how many invocations of a function run at once."""
    _add(block, found, "ConcurrentExecutions", count)


def note_use(block: Block, place: Place, use: Use) -> None:
    """Note how an invocation uses what is kept ready for a version or an alias."""
    if not is_measured(block):
        return
    dimensions = (("FunctionName", place.name), ("Resource", f"{place.name}:{use.qualifier}"))
    running = min(use.running, use.ready)
    values = {
        "ProvisionedConcurrentExecutions": running,
        "ProvisionedConcurrencyUtilization": running / use.ready,
        "ProvisionedConcurrencySpilloverInvocations" if use.is_over else "ProvisionedConcurrencyInvocations": 1,
    }
    now = block.clock.now()
    for metric, value in values.items():
        get_metrics(block).add(place.account, place.region, metric, dimensions, now, value, unit="Count")


def throttled(block: Block, found: Resolved) -> None:
    """Note an invocation that was refused since there were too many."""
    _add(block, found, "Throttles", 1)


def served(block: Block, found: Resolved, outcome: Outcome) -> None:
    """Note an invocation and what came of it."""
    _add(block, found, "Invocations", 1)
    _add(block, found, "Errors", 1 if outcome.error else 0)
    _add(block, found, "Duration", round(outcome.duration * 1000, 2), "Milliseconds")


def dropped(block: Block, found: Resolved) -> None:
    """Note an event that was given up."""
    _add(block, found, "AsyncEventsDropped", 1)


def received(block: Block, found: Resolved) -> None:
    """Note an event that was accepted."""
    _add(block, found, "AsyncEventsReceived", 1)


def undelivered(block: Block, found: Resolved) -> None:
    """Note a record that nobody has taken."""
    _add(block, found, "DestinationDeliveryFailures", 1)


def no_letter(block: Block, found: Resolved) -> None:
    """Note a dead letter that nobody has taken."""
    _add(block, found, "DeadLetterErrors", 1)


def recursive(block: Block, found: Resolved) -> None:
    """Note an invocation that was stopped since the function causes itself."""
    _add(block, found, "RecursiveInvocationsDropped", 1)


def note_durable(block: Block, place: Place, metric: str, value: float = 1, unit: str = "Count") -> None:
    """Note what becomes of a durable execution. Developer guide, "Monitoring durable functions"."""
    if is_measured(block):
        dimensions = (("FunctionName", place.name),)
        get_metrics(block).add(place.account, place.region, metric, dimensions, block.clock.now(), value, unit=unit)


def _add(block: Block, found: Resolved, metric: str, value: float, unit: str = "Count") -> None:
    if not is_measured(block):
        return
    place, now = found.version.place, block.clock.now()
    for dimensions in _dimensions(found):
        get_metrics(block).add(place.account, place.region, metric, dimensions, now, value, unit=unit)


def _dimensions(found: Resolved) -> Iterator[Dimensions]:
    """Give the dimensions by which a function's values are counted: by name, and by what was named of it."""
    name = found.version.place.name
    yield (("FunctionName", name),)
    if found.alias is not None:
        yield (("FunctionName", name), ("Resource", f"{name}:{found.alias.name}"))
        yield (
            ("FunctionName", name),
            ("Resource", f"{name}:{found.alias.name}"),
            ("ExecutedVersion", found.version.version),
        )
    elif found.version.number:
        yield (("FunctionName", name), ("Resource", f"{name}:{found.version.version}"))
