"""X-Ray's daemon: SDKs send it segments by UDP, so that the application never waits for X-Ray.

Developer guide, "Sending trace data to X-Ray": a datagram has a header, a line break and a segment document. Segments
are stored for the account and the region of requests that nobody signed. What comes quicker than it can be stored is
dropped, as it is by the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from typing import Literal

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.services.xray.document import MOST_BYTES

log = logging.getLogger("cloudlet.xray")

_ACCOUNT, _REGION = "000000000000", "us-east-1"
_BATCH = 50
_GATHERED_SECONDS = 0.1
_MOST_WAITING_BYTES = 16 << 20
_RECEIVED_BYTES = 4 << 20
"""What the system keeps of datagrams until they are read, if it may."""
_TOLD_SECONDS = 60.0


class _Header(msgspec.Struct):
    format: Literal["json"]
    version: Literal[1]


_read_header = msgspec.json.Decoder(_Header).decode


class _Inbox(asyncio.DatagramProtocol):
    """Documents that came and are not stored yet, no more than a certain size of them."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self.arrived = asyncio.Event()
        self._dropped: Counter[str] = Counter()

    def datagram_received(self, data: bytes, addr: object) -> None:
        header, _, document = data.partition(b"\n")
        try:
            _read_header(header)
        except (msgspec.DecodeError, ValueError):
            self.drop("had no header")
            return
        if not document:
            return
        if len(document) > MOST_BYTES:
            self.drop("were too large")
        elif self._bytes + len(document) > _MOST_WAITING_BYTES:
            self.drop("came too quickly")
        else:
            self._waiting.append(document)
            self._bytes += len(document)
            self.arrived.set()

    def take(self) -> list[bytes]:
        """Return the documents that came first, and keep the rest."""
        taken = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        self._bytes -= sum(map(len, taken))
        return taken

    def drop(self, why: str, count: int = 1) -> None:
        """Count what is not stored; the log tells of it within a minute."""
        if not self._dropped and count:
            asyncio.get_running_loop().call_later(_TOLD_SECONDS, self.tell)
        self._dropped[why] += count

    def tell(self) -> None:
        """Write to the log what was dropped since it was last told."""
        for why, count in self._dropped.items():
            log.warning("%d segments that came by UDP were dropped: they %s", count, why)
        self._dropped.clear()


async def listen(block: Block, datagrams: socket.socket) -> None:
    """Store what comes, for ever."""
    own = datagrams.dup()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
    inbox = _Inbox()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: inbox, sock=own)
    try:
        while True:
            await inbox.arrived.wait()
            inbox.arrived.clear()
            await asyncio.sleep(_GATHERED_SECONDS)
            while documents := inbox.take():
                await _store(block, inbox, documents)
    finally:
        transport.close()
        inbox.tell()


async def _store(block: Block, inbox: _Inbox, documents: list[bytes]) -> None:
    params = {"TraceSegmentDocuments": [each.decode("utf-8", "replace") for each in documents]}
    try:
        answer = await block.cloud.call(
            "xray", "PutTraceSegments", params, principal=root(_ACCOUNT), account=_ACCOUNT, region=_REGION
        )
    except AwsError as error:
        inbox.drop(f"could not be stored ({error.code})", len(documents))
        return
    for each in (answer or {}).get("UnprocessedTraceSegments", ()):
        inbox.drop(f"were not valid ({each['ErrorCode']})")
