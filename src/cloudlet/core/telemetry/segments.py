"""What a block tells X-Ray, through its API and off the way of requests.

Segments that X-Ray cannot take, or that are too many, are dropped, with a word in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.observer import Observer
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.tracing import Tracer

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

_MOST_WAITING = 10_000
_BATCH = 25
"""So many documents are sent in one request; each is of about 1 KB."""
_GATHERED_SECONDS = 0.2
_encode = msgspec.json.Encoder().encode


def observe_segments(block: Block) -> Observer | None:
    """Return what tells X-Ray of a block's segments; None without X-Ray."""
    segments = find_segments(block)
    if segments is None:
        return None
    tracer = Tracer(block, segments) if block.cloud.config.traces_calls else None
    return Observer(answered=None if tracer is None else tracer.answered, job=segments.job)


def find_segments(block: Block) -> SegmentExporter | None:
    """Return what a block tells X-Ray; None where there is none."""
    return _SEGMENTS.get(block)


class SegmentExporter:
    """The segments of one block, on their way."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str, str]] = deque()
        """Account, region and document."""
        self._changed = asyncio.Event()
        self._dropped = 0

    def add(self, account: str, region: str, document: Mapping[str, Any]) -> None:
        """Tell X-Ray of a segment, soon. Developer guide, "AWS X-Ray segment documents"."""
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append((account, region, _encode(document).decode()))
        self._changed.set()

    async def job(self, block: Block) -> None:
        """Give X-Ray what was noted, for ever."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_GATHERED_SECONDS)
            self._changed.clear()
            while self._waiting:
                await self._send(block)
            if self._dropped:
                log.warning("%d segments were not told to X-Ray: there were too many", self._dropped)
                self._dropped = 0

    async def _send(self, block: Block) -> None:
        """Send the documents at the head of the line that are of one account and region."""
        account, region, _ = self._waiting[0]
        documents: list[str] = []
        while self._waiting and len(documents) < _BATCH and self._waiting[0][:2] == (account, region):
            documents.append(self._waiting.popleft()[2])
        params = {"TraceSegmentDocuments": documents}
        try:
            answer = await block.call("xray", "PutTraceSegments", params, account=account, region=region)
        except AwsError as error:
            self._dropped += len(documents)
            log.warning("X-Ray does not take the segments of %s: %s", block.service.name, error)
            return
        for refused in (answer or {}).get("UnprocessedTraceSegments") or []:
            log.warning("X-Ray refuses a segment of %s: %s", block.service.name, refused)


def _make_exporter(block: Block) -> SegmentExporter | None:
    return SegmentExporter() if block.cloud.has("xray") and block.service.name != "xray" else None


_SEGMENTS: Final = PerBlock(_make_exporter)
