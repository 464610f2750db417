"""What functions tell X-Ray themselves: the SDKs in them send it by UDP, to the address in `AWS_XRAY_DAEMON_ADDRESS`.

X-Ray's developer guide, "Sending trace data to X-Ray": a datagram has a header, a line break and a document. Only what
belongs to an invocation is taken, by ids that nobody else knows: it decides whose account a document is for.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict

import msgspec

from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.segments import find_segments
from cloudlet.services.lambda_.functions.function import Place

log = logging.getLogger("cloudlet.lambda")

_HEADER = {"format": "json", "version": 1}
_MOST_KNOWN = 20_000
_decode = msgspec.json.decode


class Subsegments(asyncio.DatagramProtocol):
    """Takes what functions send, and gives it to X-Ray."""

    def __init__(self, block: Block) -> None:
        self._segments = find_segments(block)
        self._known: OrderedDict[str, Place] = OrderedDict()
        """Whose an invocation's segment is, and its trace, by their ids; those that came last."""
        self._transport: asyncio.DatagramTransport | None = None
        self._listening = asyncio.Lock()

    async def address(self) -> str | None:
        """Return host and port, or None where there is no X-Ray."""
        if self._segments is None:
            return None
        async with self._listening:
            if self._transport is None:
                loop = asyncio.get_running_loop()
                self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    @property
    def is_wanted(self) -> bool:
        """Whether there is an X-Ray."""
        return self._segments is not None

    async def receive(self, receiver: socket.socket) -> asyncio.DatagramTransport:
        """Take what comes to a socket, too, until what is returned is closed."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=receiver)
        return transport

    def expect(self, place: Place, segment: str, trace: str) -> None:
        """Take from now on what belongs to an invocation: by the id of its segment, and by its trace's."""
        self._known[segment] = place
        # A trace that goes through several accounts stays with the first: what is not just below a segment is rare.
        self._known.setdefault(trace, place)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def datagram_received(self, data: bytes, addr: object) -> None:
        header, _, text = data.partition(b"\n")
        try:
            wanted, document = _decode(header) == _HEADER, _decode(text, type=dict[str, object])
        except (ValueError, RecursionError):
            log.info("a function has sent X-Ray what cannot be read")
            return
        place = self._known.get(str(document.get("parent_id"))) or self._known.get(str(document.get("trace_id")))
        if wanted and place is not None and self._segments is not None:
            self._segments.add(place.account, place.region, document)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
