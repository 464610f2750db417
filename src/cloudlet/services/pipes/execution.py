"""One execution of a pipe: a batch goes through its stages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import enriching, targets, transforming
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.journal import Journal
from cloudlet.services.pipes.measuring import Execution
from cloudlet.services.pipes.pipe import Parameters, Pipe
from cloudlet.services.pipes.stage import StageFailed

log = logging.getLogger("cloudlet.pipes")

_FAILURES = (AwsError, StageFailed, msgspec.MsgspecError, RecursionError, UnicodeError)


class Outcome(NamedTuple):
    """What became of a batch."""

    failed: list[Event]
    """In the order of the batch; all of it, where a stage failed as a whole."""
    reason: str = ""


async def execute(block: Block, pipe: Pipe, events: list[Event]) -> Outcome:
    """Enrich events and give them to the target."""
    running = _Running(block, pipe, events)
    outcome = await running.run()
    if outcome.failed:
        log.warning("%d of %d events of %s failed: %s", len(outcome.failed), len(events), pipe.arn, outcome.reason)
    return outcome


class _Running:
    """An execution under way."""

    def __init__(self, block: Block, pipe: Pipe, events: list[Event]) -> None:
        self._block = block
        self._pipe = pipe
        self._events = events
        self._measured = Execution(block, pipe, events)
        self._journal = Journal(block, pipe)

    async def run(self) -> Outcome:
        self._journal.note("EXECUTION_STARTED", _documents(self._events))
        try:
            outcome = await self._go_through()
        except _FAILURES as error:
            outcome = Outcome(self._events, str(error))
        except Exception as error:
            # A fault of ours that some events meet: it counts as an attempt, so that they are not tried for ever.
            log.exception("%s failed", self._pipe.arn)
            outcome = Outcome(self._events, f"InternalFailure: {error}")
        self._measured.end(len(outcome.failed))
        if not outcome.failed:
            self._journal.note("EXECUTION_SUCCEEDED")
        elif len(outcome.failed) == len(self._events):
            self._journal.note("EXECUTION_FAILED", error=outcome.reason)
        else:
            self._journal.note("EXECUTION_PARTIALLY_FAILED", error=outcome.reason)
        await self._journal.write()
        return outcome

    async def _go_through(self) -> Outcome:
        going = self._events
        if self._pipe.enrichment:
            with self._stage("Enrichment"):
                texts = self._transformed("ENRICHMENT", self._pipe.enrichment_parameters, going)
                with self._invocation("ENRICHMENT"):
                    going = await enriching.enriched(self._block, self._pipe, going, texts)
                self._journal.note("ENRICHMENT_STAGE_SUCCEEDED", _documents(going))
            if not going:
                self._measured.skip_target()
                self._journal.note("TARGET_STAGE_SKIPPED")
                return Outcome([])
        with self._stage("Target"):
            texts = self._transformed("TARGET", self._pipe.target_parameters, going)
            with self._invocation("TARGET") as failures:
                failures += await targets.give(self._block, self._pipe, going, texts)
            reason = next((each for each in failures if each), "")
            self._measured.note_part(bool(reason))
            if reason:
                self._journal.note("TARGET_STAGE_PARTIALLY_FAILED", error=reason)
            else:
                self._journal.note("TARGET_STAGE_SUCCEEDED", _documents(going))
        return self._outcome(going, failures, reason)

    def _outcome(self, going: list[Event], failures: targets.Failures, reason: str) -> Outcome:
        """Return which events of the source failed with those that the target did not take."""
        failed = {event.id for event, failure in zip(going, failures, strict=True) if failure}
        if "" in failed:
            return Outcome(self._events, reason)
        return Outcome([event for event in self._events if event.id in failed], reason)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        step = name.upper()
        self._journal.note(f"{step}_STAGE_ENTERED")
        try:
            with self._measured.stage(name):
                yield
        except _FAILURES as error:
            self._journal.note(f"{step}_STAGE_FAILED", error=str(error))
            raise

    @contextmanager
    def _invocation(self, step: str) -> Iterator[targets.Failures]:
        """Note an invocation; what is put into the list are its failures."""
        failures: targets.Failures = []
        self._journal.note(f"{step}_INVOCATION_STARTED")
        try:
            yield failures
        except _FAILURES as error:
            self._journal.note(f"{step}_INVOCATION_FAILED", error=str(error))
            raise
        reason = next((each for each in failures if each), "")
        if reason:
            self._journal.note(f"{step}_INVOCATION_PARTIALLY_FAILED", error=reason)
        else:
            self._journal.note(f"{step}_INVOCATION_SUCCEEDED")

    def _transformed(self, step: str, parameters: Parameters, events: list[Event]) -> list[str]:
        """Return what a stage gets of events."""
        has_template = bool(parameters.get("InputTemplate"))
        if has_template:
            self._journal.note(f"{step}_TRANSFORMATION_STARTED")
        texts = transforming.texts(self._pipe, parameters, events, self._block.clock.now())
        if has_template:
            self._journal.note(f"{step}_TRANSFORMATION_SUCCEEDED", texts)
        return texts


def _documents(events: list[Event]) -> list[object]:
    return [event.document for event in events]
