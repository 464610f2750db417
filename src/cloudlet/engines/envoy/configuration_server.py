"""The configuration of Envoys by their own protocol, one stream each.

Envoy's documentation, "xDS REST and gRPC protocol", aggregated discovery.
A stream is kept in step with the snapshot of its node by comparing: each kind has what is wanted, what was sent, and
whether the Envoy has yet to answer. Traffic is never led to what is not there: clusters and their targets come before
the routes that name them, and clusters that are wanted no more go after these.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from cloudlet.engines.envoy import protobuf_messages
from cloudlet.engines.envoy.grpc_server import INVALID_ARGUMENT, NOT_FOUND, CallRefusal, GrpcServer, Stream
from cloudlet.engines.envoy.snapshot import Kind, Resource, Snapshot
from cloudlet.engines.keeper.protocol import open_folder
from cloudlet.store.eager import spawn

log = logging.getLogger("cloudlet.engines")

_DISCOVER: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_LOG: Final = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
_WHOLE: Final = (Kind.CLUSTER, Kind.LISTENER)
"""The kinds of which a response has all resources: a missing one is removed."""
_MAX_REFUSAL_CHARACTERS: Final = 4096
_MAX_INLINE_BYTES: Final = 16_384
"""The JSON that is encoded in some milliseconds. To hand over more to a thread is worth its time."""
_KINDS: Final = {kind.url: kind for kind in Kind}


class _Version(NamedTuple):
    resource: Resource
    content: bytes
    version: int


EncodedSnapshot = dict[Kind, dict[str, _Version]]
"""A snapshot as its node gets it."""

Find = Callable[[str, Mapping[str, str]], Awaitable[Snapshot | EncodedSnapshot | None]]
"""A function that returns the snapshot of a node which has connected.

It gets the id of the node, and the headers of its call.
It returns None for a node that is unknown, and raises CallRefusal for one that may not have it.
"""

Logged = Callable[[str, str, list[Any]], Awaitable[None]]
"""A function that gets a node's id, a log's name, and messages of its entries."""


@dataclass(slots=True)
class _Subscription:
    """Resources of a kind that an Envoy has, or is to have."""

    subscribed: dict[str, None] | None = None
    """The names that it asks for; None before it has asked. All, where the kind is sent as a whole."""
    versions: dict[str, int] = field(default_factory=dict)
    nonce: str = ""
    is_pending: bool = False
    """Whether a response is not acknowledged yet."""
    refusal: str = ""
    """The reason for which the Envoy did not take the last response."""
    acknowledged: str = ""
    """The version that it has accepted last."""


class _Node:
    """An Envoy: its snapshot, encoded, and its streams."""

    def __init__(self) -> None:
        self.wanted: EncodedSnapshot = {kind: {} for kind in Kind}
        self.streams: set[_DiscoveryStream] = set()
        self.news = asyncio.Event()
        """Set, and replaced, when something has changed."""

    def tell(self) -> None:
        """Wake all that wait for a change."""
        self.news.set()
        self.news = asyncio.Event()


class ConfigurationServer:
    """Hands snapshots over to Envoys, and takes what they log. Used from one event loop."""

    def __init__(self, find: Find | None = None, logged: Logged | None = None) -> None:
        """Serve nodes that have a snapshot, and those that `find` has one for."""
        self._find = find
        self._logged = logged
        self._nodes: dict[str, _Node] = {}
        self._versions = count(1)
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="envoys")
        self._paths: dict[Path, asyncio.AbstractServer] = {}
        self._server = GrpcServer({_DISCOVER: self._discover, _LOG: self._take_log})

    async def listen(self, listening: socket.socket) -> None:
        """Take connections from a socket, which is closed with this. It may do so from several."""
        await self._server.listen(listening)

    async def listen_at(self, path: Path) -> None:
        """Take connections at a path that other users do not reach. Raises OSError."""
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with open_folder(path) as short:
            listening.bind(short)
        # An Envoy may have a user of its own: the folder keeps others out.
        path.chmod(0o666)
        self._paths[path] = await self._server.listen(listening)

    def stop_listening_at(self, path: Path) -> None:
        """Take no more connections at a path."""
        listening = self._paths.pop(path, None)
        if listening is not None:
            listening.close()
            path.unlink(missing_ok=True)

    @property
    def connected(self) -> list[str]:
        """The ids of the nodes that have a stream."""
        return [name for name, node in self._nodes.items() if node.streams]

    async def encode(self, name: str, snapshot: Snapshot) -> EncodedSnapshot:
        """Encode the snapshot of a node. A large one, which takes a while, does not hold up the event loop.

        Raises ValueError for a resource that does not fit its description.
        """
        before = self._nodes.get(name, _Node()).wanted
        changed = [
            resource
            for kind in Kind
            for key, resource in snapshot.get(kind).items()
            if key not in before[kind] or before[kind][key].resource != resource
        ]
        if len(msgspec.json.encode(changed)) <= _MAX_INLINE_BYTES:
            return self._encode_all(before, snapshot)
        return await asyncio.get_running_loop().run_in_executor(self._encoder, self._encode_all, before, snapshot)

    def set_snapshot(self, name: str, snapshot: Snapshot | EncodedSnapshot) -> None:
        """Have a node be as a snapshot says. Raises ValueError for a resource that does not fit its description."""
        node = self._nodes.setdefault(name, _Node())
        wanted = self._encode_all(node.wanted, snapshot) if isinstance(snapshot, Snapshot) else snapshot
        if wanted != node.wanted:
            node.wanted = wanted
            for stream in node.streams:
                stream.changed.set()

    def _encode_all(self, before: EncodedSnapshot, snapshot: Snapshot) -> EncodedSnapshot:
        return {kind: self._encode(before[kind], kind, snapshot.get(kind)) for kind in Kind}

    def _encode(
        self, before: dict[str, _Version], kind: Kind, resources: Mapping[str, Resource]
    ) -> dict[str, _Version]:
        encoded = {}
        for name, resource in resources.items():
            known = before.get(name)
            if known is None or known.resource != resource:
                content = protobuf_messages.encode(kind, resource)
                known = _Version(resource, content, next(self._versions))
            encoded[name] = known
        return encoded

    def forget(self, name: str) -> None:
        """Forget a node. Its streams end."""
        node = self._nodes.pop(name, None)
        if node is not None:
            for stream in node.streams:
                stream.end()
            node.tell()

    def list_refusals(self, name: str) -> dict[Kind, str]:
        """Return why a node has refused resources, by their kinds."""
        node = self._nodes.get(name)
        streams = [] if node is None else node.streams
        return {kind: sent.refusal for stream in streams for kind, sent in stream.sent.items() if sent.refusal}

    def has_applied(self, name: str) -> bool:
        """Return whether a node is connected, and has answered to all that is wanted."""
        node = self._nodes.get(name)
        return node is not None and bool(node.streams) and all(each.is_in_step() for each in node.streams)

    async def wait_until_applied(self, name: str, seconds: float) -> bool:
        """Wait, for some seconds, until a node has answered to all. Return whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.has_applied(name):
                    await self.wait_for_news(name)
        return self.has_applied(name)

    async def wait_for_news(self, name: str) -> None:
        """Wait until a node answers, connects or leaves."""
        await self._nodes.setdefault(name, _Node()).news.wait()

    async def _discover(self, stream: Stream) -> None:
        request_type = protobuf_messages.find("envoy.service.discovery.v3.DiscoveryRequest")
        discovery: _DiscoveryStream | None = None
        sending: asyncio.Task[None] | None = None
        node: _Node | None = None
        try:
            async for message in stream:
                request = _parse(request_type, message)
                if discovery is None or node is None:
                    node = await self._admit(request.node.id, stream.headers)
                    discovery = _DiscoveryStream(stream, node)
                    node.streams.add(discovery)
                    sending = spawn(discovery.send_changes())
                discovery.take(request)
                node.tell()
        finally:
            if sending is not None:
                sending.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await sending
            if node is not None and discovery is not None:
                node.streams.discard(discovery)
                node.tell()

    async def _admit(self, name: str, headers: Mapping[str, str]) -> _Node:
        if self._find is not None:
            found = await self._find(name, headers)
            if found is not None:
                self.set_snapshot(name, found)
        node = self._nodes.get(name)
        if node is None:
            raise CallRefusal(NOT_FOUND, f"there is no node {name}")
        return node

    async def _take_log(self, stream: Stream) -> None:
        message_type = protobuf_messages.find("envoy.service.accesslog.v3.StreamAccessLogsMessage")
        node = name = ""
        async for content in stream:
            message = _parse(message_type, content)
            if message.HasField("identifier"):
                node, name = message.identifier.node.id, message.identifier.log_name
            if self._logged is not None:
                entries = message.http_logs.log_entry or message.tcp_logs.log_entry
                await self._logged(node, name, list(entries))

    async def close(self) -> None:
        """End all connections. Envoys go on as they are, and connect again."""
        for path in self._paths:
            path.unlink(missing_ok=True)
        await self._server.close()
        self._encoder.shutdown(wait=False, cancel_futures=True)


def _parse(message_type: Any, content: bytes) -> Any:
    try:
        return message_type.FromString(content)
    except DecodeError as error:
        raise CallRefusal(INVALID_ARGUMENT, str(error)) from None


class _DiscoveryStream:
    """A stream of an Envoy."""

    def __init__(self, stream: Stream, node: _Node) -> None:
        self._stream = stream
        self._node = node
        self._nonces = count(1)
        self._clusters: dict[str, _Version] = {}
        """The clusters that were sent last."""
        self.sent: dict[Kind, _Subscription] = {kind: _Subscription() for kind in Kind}
        self.changed = asyncio.Event()

    def end(self) -> None:
        """Have it end."""
        self._stream.end()

    def take(self, request: Any) -> None:
        """Take a request, which subscribes to resources, and acknowledges or refuses a response."""
        kind = _KINDS.get(request.type_url)
        if kind is None:
            return
        sent = self.sent[kind]
        if request.response_nonce and request.response_nonce != sent.nonce:
            # It answers an older response than the last one.
            return
        if request.response_nonce:
            sent.is_pending = False
            if request.HasField("error_detail"):
                refusal = request.error_detail.message[:_MAX_REFUSAL_CHARACTERS]
                if refusal != sent.refusal:
                    log.warning("an Envoy refuses %s: %s", kind.name.lower(), refusal)
                sent.refusal = refusal
            else:
                sent.refusal = ""
                sent.acknowledged = request.version_info
        elif sent.subscribed is None:
            # The first request of a stream: what the Envoy may have from a former one is sent again.
            sent.versions = {}
        sent.subscribed = dict.fromkeys(request.resource_names)
        if kind not in _WHOLE:
            sent.versions = {name: version for name, version in sent.versions.items() if name in sent.subscribed}
        self.changed.set()

    async def send_changes(self) -> None:
        """Send what has changed, for ever. Raises ConnectionError."""
        while True:
            self.changed.clear()
            for kind in Kind:
                if self._can_send(kind):
                    await self._send(kind)
            await self.changed.wait()

    def _list_wanted(self, kind: Kind) -> dict[str, _Version]:
        wanted = self._node.wanted[kind]
        # Clusters stay as long as listeners and routes are older than those that are wanted, and may name them.
        return {**self._clusters, **wanted} if kind is Kind.CLUSTER and self._has_old_routes() else wanted

    def _has_old_routes(self) -> bool:
        return any(
            self.sent[kind].is_pending or self.sent[kind].refusal or self._find_difference(kind) is not None
            for kind in (Kind.LISTENER, Kind.ROUTE)
        )

    def _find_difference(self, kind: Kind) -> dict[str, _Version] | None:
        """Return the resources to be sent, None where the Envoy has them."""
        sent, wanted = self.sent[kind], self._list_wanted(kind)
        if sent.subscribed is None:
            return None
        if kind in _WHOLE:
            is_same = {name: each.version for name, each in wanted.items()} == sent.versions
            # An Envoy that starts waits for a response, even for one without resources.
            return None if is_same and sent.nonce else wanted
        changed = {
            name: wanted[name]
            for name in sent.subscribed
            if name in wanted and sent.versions.get(name) != wanted[name].version
        }
        return changed or None

    def _can_send(self, kind: Kind) -> bool:
        if self.sent[kind].is_pending or self._find_difference(kind) is None:
            return False
        if kind in (Kind.LISTENER, Kind.ROUTE):
            return not any(self.sent[each].is_pending for each in (Kind.CLUSTER, Kind.ENDPOINT)) and self._has_targets()
        return True

    def _has_targets(self) -> bool:
        """Return whether the Envoy has asked for the targets of all clusters. It does so soon after it gets them."""
        if self.sent[Kind.CLUSTER].refusal:
            return True
        asked = self.sent[Kind.ENDPOINT].subscribed or ()
        return all(name in asked for name, each in self._clusters.items() if each.resource.get("type") == "EDS")

    async def _send(self, kind: Kind) -> None:
        difference = self._find_difference(kind)
        if difference is None:
            return
        sent = self.sent[kind]
        sent.nonce = str(next(self._nonces))
        sent.is_pending = True
        changed_clusters: set[str] = set()
        if kind in _WHOLE:
            if kind is Kind.CLUSTER:
                changed_clusters = {
                    name for name, each in difference.items() if sent.versions.get(name) != each.version
                }
                self._clusters = difference
            sent.versions = {name: each.version for name, each in difference.items()}
        else:
            sent.versions.update({name: each.version for name, each in difference.items()})
        response = protobuf_messages.find("envoy.service.discovery.v3.DiscoveryResponse")(
            version_info=sent.nonce, type_url=kind.url, nonce=sent.nonce
        )
        for each in difference.values():
            response.resources.add(type_url=kind.url, value=each.content)
        await self._stream.send(response.SerializeToString())
        # A cluster that is made again waits for its targets, even for those that it had.
        for name in changed_clusters:
            self.sent[Kind.ENDPOINT].versions.pop(name, None)

    def is_in_step(self) -> bool:
        """Return whether the Envoy has answered to all that is wanted.

        What belongs to a resource that was refused may not even have been asked for.
        """
        if any(each.is_pending or self._find_difference(kind) is not None for kind, each in self.sent.items()):
            return False
        if any(each.refusal for each in self.sent.values()):
            return True
        return all(self.sent[kind].versions.keys() >= self._node.wanted[kind].keys() for kind in Kind)
