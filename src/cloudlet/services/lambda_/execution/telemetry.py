"""The Telemetry API and the Logs API: what happens in a sandbox, told to the extensions in it that have subscribed.

Developer guide, "Lambda Telemetry API reference", "Lambda Telemetry API Event schema reference", "Using the Lambda Logs
API". What is told first is kept until the start is over, which is how long extensions can subscribe.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from cloudlet.engines.sandbox import Sandbox
from cloudlet.services.lambda_.execution import platform_events
from cloudlet.services.lambda_.execution.delivery import Buffering, Delivery, Destination
from cloudlet.services.lambda_.execution.networks import Network
from cloudlet.services.lambda_.execution.platform_events import Event

TELEMETRY_PATH = "/2022-07-01/telemetry"
LOGS_PATH = "/2020-08-15/logs"
_HOSTS = ("sandbox.localdomain", "sandbox")
_RESERVED_PORT = 9001
_MOST_EARLY = 10_000
_MOST_EARLY_BYTES = 1 << 20
_OF_LOGS = frozenset(
    (
        "platform.start",
        "platform.report",
        "platform.fault",
        "platform.extension",
        "platform.logsSubscription",
        "platform.logsDropped",
    )
)
"""What the Logs API tells of the platform as it is."""

Type = Literal["platform", "function", "extension"]


class Invalid(Exception):
    """A subscription that makes no sense."""


class _Buffering(msgspec.Struct, rename="camel"):
    max_items: Annotated[int, msgspec.Meta(ge=1000, le=10_000)] = 10_000
    max_bytes: Annotated[int, msgspec.Meta(ge=262_144, le=1_048_576)] = 262_144
    timeout_ms: Annotated[int, msgspec.Meta(ge=25, le=30_000)] = 1000


class _Destination(msgspec.Struct):
    protocol: Literal["HTTP", "TCP"]
    uri: str = msgspec.field(default="", name="URI")
    port: int = 0
    method: Literal["POST", "PUT"] = "POST"
    encoding: Literal["JSON"] = "JSON"


class _Asked(msgspec.Struct, rename="camel"):
    """A subscription as it is asked for."""

    destination: _Destination
    types: Annotated[list[Type], msgspec.Meta(min_length=1)]
    schema_version: str
    buffering: _Buffering = msgspec.field(default_factory=_Buffering)


class _AskedOfLogs(_Asked, rename="camel"):
    schema_version: Literal["2020-08-15", "2021-03-18"] = "2020-08-15"


class _AskedOfTelemetry(_Asked, rename="camel"):
    schema_version: Literal["2025-01-29", "2022-12-13", "2022-07-01"]


class _Subscription:
    """What one extension is told."""

    def __init__(self, asked: _Asked, delivery: Delivery) -> None:
        self.asked = asked
        self.delivery = delivery

    def tell(self, told: dict[str, Any]) -> None:
        for each in self._as_asked(told):
            self.delivery.add(msgspec.json.encode(each))

    def _as_asked(self, told: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Give an event as the schema has it."""
        kind, schema = told["type"], self.asked.schema_version
        if kind.partition(".")[0] not in self.asked.types:
            return
        if kind == "function" and schema in ("2022-12-13", "2025-01-29"):
            yield {**told, "record": _parsed(told["record"])}
        elif isinstance(self.asked, _AskedOfTelemetry):
            if kind != "platform.fault":
                yield told
        elif kind in _OF_LOGS or "." not in kind:
            yield told
        elif kind == "platform.runtimeDone":
            if schema == "2021-03-18":
                yield told
            yield {**told, "type": "platform.end", "record": {"requestId": told["record"]["requestId"]}}


def _parsed(record: str) -> object:
    """Return what a function has logged: an object, where it is one in JSON."""
    if not record.startswith("{"):
        return record
    try:
        return msgspec.json.decode(record)
    except (ValueError, RecursionError):
        return record


class Telemetry:
    """What is told in one sandbox."""

    def __init__(self, on_event: Callable[[Event], None], network: Network | None = None) -> None:
        """`on_event` takes what happens here, so that it is logged and told, too.

        `network` is that of a function in a VPC.
        """
        self._network = network
        self._on_event = on_event
        self._subscriptions: dict[str, _Subscription] = {}
        self._early: deque[dict[str, Any]] | None = deque()
        self._early_bytes = 0
        self._is_open = True

    def subscribe(self, name: str, path: str, body: bytes, sandbox: Sandbox) -> bool:
        """Tell an extension from now on what it wants to know; return whether that goes still. Raises Invalid."""
        kind: type[_Asked] = _AskedOfLogs if path == LOGS_PATH else _AskedOfTelemetry
        try:
            asked = msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError) as error:
            raise Invalid(str(error)) from None
        destination = _destination(asked.destination)
        if any(not isinstance(each.asked, kind) for each in self._subscriptions.values()):
            raise Invalid("an extension has subscribed by the other API already")
        if not self._is_open:
            return False
        before = self._subscriptions.pop(name, None)
        if before is not None:
            before.delivery.close()
        limits = Buffering(asked.buffering.max_items, asked.buffering.max_bytes, asked.buffering.timeout_ms / 1000)
        delivery = Delivery(sandbox, destination, limits, self._dropped, self._network)
        subscription = self._subscriptions[name] = _Subscription(asked, delivery)
        for told in (self._early or ()) if before is None else ():
            subscription.tell(told)
        self._on_event(platform_events.subscribed(name, list(asked.types), of_logs=path == LOGS_PATH))
        return True

    def tell(self, told: dict[str, Any]) -> None:
        """Tell all that have subscribed to it of something."""
        if self._early is not None:
            self._early.append(told)
            self._early_bytes += len(str(told["record"]))
            while len(self._early) > _MOST_EARLY or self._early_bytes > _MOST_EARLY_BYTES:
                self._early_bytes -= len(str(self._early.popleft()["record"]))
        for subscription in self._subscriptions.values():
            subscription.tell(told)

    def seal(self) -> None:
        """The start is over: who has not subscribed by now cannot any more."""
        self._is_open = False
        self._early = None

    async def flush(self) -> None:
        """Deliver at once what waits."""
        await asyncio.gather(*(subscription.delivery.flush() for subscription in self._subscriptions.values()))

    def close(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.delivery.close()

    def _dropped(self, records: int, size: int) -> None:
        self._on_event(platform_events.dropped(records, size))


def _destination(asked: _Destination) -> Destination:
    """Raises Invalid."""
    if asked.protocol == "TCP":
        port, path = asked.port, None
    else:
        try:
            parts = urlsplit(asked.uri)
            port, path = parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        except ValueError as error:
            raise Invalid(f"URI: {error}") from None
        if parts.scheme != "http" or parts.hostname not in _HOSTS:
            raise Invalid(f"URI begins with http://{_HOSTS[0]}:")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise Invalid("URI has characters that are to be escaped")
    if not 0 < port < 65536 or port == _RESERVED_PORT:
        raise Invalid(f"port {port} cannot be chosen")
    return Destination(port, path, asked.method)
