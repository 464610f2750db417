"""One execution of a pipe: a batch goes through its stages."""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.block import Block
from cloudlet.services.pipes import enriching, targets
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.measuring import Execution
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.stage import StageFailed

log = logging.getLogger("cloudlet.pipes")


class Outcome(NamedTuple):
    """What became of a batch."""

    failed: list[Event]
    """In the order of the batch; all of it, where a stage failed as a whole."""
    reason: str = ""


async def execute(block: Block, pipe: Pipe, events: list[Event]) -> Outcome:
    """Enrich events and give them to the target."""
    measured = Execution(block, pipe, events)
    outcome = await _execute(block, pipe, events, measured)
    measured.end(len(outcome.failed))
    if outcome.failed:
        log.warning("%d of %d events of %s failed: %s", len(outcome.failed), len(events), pipe.arn, outcome.reason)
    return outcome


async def _execute(block: Block, pipe: Pipe, events: list[Event], measured: Execution) -> Outcome:
    going = events
    try:
        if pipe.enrichment:
            with measured.stage("Enrichment"):
                going = await enriching.enriched(block, pipe, events)
            if not going:
                measured.skip_target()
                return Outcome([])
        with measured.stage("Target") as stage:
            failures = await targets.give(block, pipe, going)
            stage.failed_partially = any(failures)
    except (AwsError, StageFailed, msgspec.MsgspecError, UnicodeError) as error:
        return Outcome(events, str(error))
    reason = next((each for each in failures if each), "")
    if not reason:
        return Outcome([])
    failed = {event.id for event, failure in zip(going, failures, strict=True) if failure}
    if "" in failed:
        return Outcome(events, reason)
    return Outcome([event for event in events if event.id in failed], reason)
