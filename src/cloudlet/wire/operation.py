"""One operation of a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from cloudlet.wire.errors import InvalidRequest, Violation
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols import Codec, codec_of
from cloudlet.wire.shapes import Raw, Ref, Shape

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel

COMPILING: Final = RLock()
"""Codecs share compiled shapes, and those refer to each other while they are being compiled."""


class Operation:
    """One operation of a service; it parses its requests and serialises its results in any of the protocols."""

    def __init__(self, service: ServiceModel, name: str, raw: Raw) -> None:
        self.service = service
        self.name = name
        self.raw = raw
        http = raw.get("http", {})
        self.http_method: str = http.get("method", "POST")
        self.uri: str = http.get("requestUri", "/")
        self.status: int = http.get("responseCode", 200)
        self._codecs: dict[str, Codec] = {}
        self._resolved: _Resolved | None = None
        self._check: Callable[[dict[str, Any]], list[Violation]] | None = None

    def _shapes(self) -> _Resolved:
        """Return the shapes that it refers to, which are read when they are first asked for."""
        resolved = self._resolved
        if resolved is None:
            resolved = self._resolved = _Resolved(self.service, self.raw)
        return resolved

    @property
    def input(self) -> Ref | None:
        """The use of the input shape, with the traits that this operation adds to it."""
        return self._shapes().input

    @property
    def output(self) -> Ref | None:
        """The use of the output shape, with the traits that this operation adds to it."""
        return self._shapes().output

    @property
    def input_shape(self) -> Shape | None:
        return self.input.shape if self.input else None

    @property
    def output_shape(self) -> Shape | None:
        return self.output.shape if self.output else None

    @property
    def host_prefix(self) -> str | None:
        """The template of the host's first labels, such as `{AccountId}.`."""
        prefix: str | None = self.raw.get("endpoint", {}).get("hostPrefix")
        return prefix

    @property
    def streaming_input(self) -> bool:
        """Whether the request's body is handed over unread."""
        return self._shapes().streams_input

    @property
    def streaming_output(self) -> bool:
        """Whether the response's body may be an iterator of bytes."""
        return _streams(self.output)

    @property
    def event_stream_output(self) -> str | None:
        """The output member that is a stream of events, if there is one."""
        return self._shapes().streams_events

    def violations(self, params: dict[str, Any]) -> list[Violation]:
        """Return what in some parameters the model's constraints do not allow."""
        check = self._check
        if check is None:
            if self.input is None:
                return []
            check = self._check = self.service.validator.compile(self.input)
        return check(params)

    def parse(self, protocol: str, request: HttpRequest, *, check: bool = True) -> dict[str, Any]:
        """Return the parameters of a request, as a user of boto3 would give them.

        With `check=False` types are enforced, but not the model's constraints. Raises `InvalidRequest`.
        """
        codec = self._codecs.get(protocol) or self._compile(protocol)
        try:
            return codec.parse(request, check)
        except InvalidRequest as error:
            error.operation, error.protocol = self.name, protocol
            raise

    def serialize(self, protocol: str, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result.

        Members that are None are left out. Raises `InvalidResult` if the model knows no such member.
        """
        codec = self._codecs.get(protocol) or self._compile(protocol)
        return codec.serialize(result, request_id)

    def _compile(self, protocol: str) -> Codec:
        with COMPILING:
            codec = self._codecs[protocol] = codec_of(protocol, self)
        return codec

    def __repr__(self) -> str:
        return f"<Operation {self.service.name}:{self.name}>"


class _Resolved:
    """The shapes that an operation refers to."""

    __slots__ = ("input", "output", "streams_events", "streams_input")

    def __init__(self, service: ServiceModel, raw: Raw) -> None:
        self.input = service.shapes.ref(raw["input"]) if "input" in raw else None
        self.output = service.shapes.ref(raw["output"]) if "output" in raw else None
        self.streams_input = _streams(self.input)
        self.streams_events: str | None = self.output.shape.event_stream if self.output else None


def _streams(ref: Ref | None) -> bool:
    if ref is None or ref.shape.payload is None:
        return False
    return ref.shape.members[ref.shape.payload].streaming
