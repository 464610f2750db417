"""A service as its model describes it: operations, errors, protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from cloudlet.wire import cache as store
from cloudlet.wire.errors import InvalidRequest, Violation, WireError
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.protocols import Codec, codec_of, error_writer_of
from cloudlet.wire.shapes import Raw, Ref, Shape, Shapes

if TYPE_CHECKING:
    from cloudlet.wire.routes import Router
    from cloudlet.wire.validation import Validator

T = TypeVar("T")

_compiling = RLock()
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

    @cached_property
    def input(self) -> Ref | None:
        """The use of the input shape, with the traits that this operation adds to it."""
        return self.service.shapes.ref(self.raw["input"]) if "input" in self.raw else None

    @cached_property
    def output(self) -> Ref | None:
        """The use of the output shape, with the traits that this operation adds to it."""
        return self.service.shapes.ref(self.raw["output"]) if "output" in self.raw else None

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

    @cached_property
    def streaming_input(self) -> bool:
        """Whether the request's body is handed over unread."""
        return _streams(self.input)

    @cached_property
    def streaming_output(self) -> bool:
        """Whether the response's body may be an iterator of bytes."""
        return _streams(self.output)

    @cached_property
    def event_stream_input(self) -> str | None:
        """The input member that is a stream of events, if there is one."""
        return self.input.shape.event_stream if self.input else None

    @cached_property
    def event_stream_output(self) -> str | None:
        """The output member that is a stream of events, if there is one."""
        return self.output.shape.event_stream if self.output else None

    @cached_property
    def violations(self) -> Callable[[dict[str, Any]], list[Violation]]:
        """The function that finds what in some parameters the model's constraints do not allow."""
        return self.service.validator.compile(self.input) if self.input else lambda params: []

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
        with _compiling:
            codec = self._codecs[protocol] = codec_of(protocol, self)
        return codec

    def __repr__(self) -> str:
        return f"<Operation {self.service.name}:{self.name}>"


def _streams(ref: Ref | None) -> bool:
    if ref is None or ref.shape.payload is None:
        return False
    return ref.shape.members[ref.shape.payload].streaming


class _Operations(Mapping[str, Operation]):
    """The operations of a service by name, made when they are asked for."""

    def __init__(self, service: ServiceModel, raw: Mapping[str, Raw]) -> None:
        self._service = service
        self._raw = raw
        self._made: dict[str, Operation] = {}

    def __getitem__(self, name: str) -> Operation:
        try:
            return self._made[name]
        except KeyError:
            operation = self._made[name] = Operation(self._service, name, self._raw[name])
            return operation

    def __iter__(self) -> Any:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, name: object) -> bool:
        return name in self._raw


class ServiceModel:
    """A service: what it is called in all of AWS's ways, its operations and its errors."""

    def __init__(self, name: str, compiled: store.Compiled) -> None:
        metadata = compiled.metadata
        self.name = name
        self.metadata: Mapping[str, Any] = metadata
        self.service_id: str = metadata.get("serviceId", name)
        self.endpoint_prefix: str = metadata.get("endpointPrefix", name)
        self.signing_name: str = metadata.get("signingName", self.endpoint_prefix)
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.api_version: str = metadata.get("apiVersion", "")
        self.json_version: str = str(metadata.get("jsonVersion", "1.0"))
        self.protocols: tuple[str, ...] = tuple(metadata.get("protocols") or (metadata["protocol"],))
        self.query_compatible = "awsQueryCompatible" in metadata
        self.shapes = Shapes(compiled.shapes)
        self.operations: Mapping[str, Operation] = _Operations(self, compiled.operations)
        self._exceptions = compiled.exceptions
        self._dialects: dict[Any, Any] = {}

    @classmethod
    def from_description(cls, description: Mapping[str, Any], name: str = "") -> ServiceModel:
        """Return the model of a description in botocore's JSON form."""
        return cls(name, store.compile_description(name, dict(description)))

    @cached_property
    def validator(self) -> Validator:
        """The constraints of the service's shapes."""
        from cloudlet.wire.validation import Validator

        return Validator()

    @cached_property
    def router(self) -> Router:
        """The paths of the service's operations."""
        from cloudlet.wire.routes import Router

        return Router(self)

    def dialect(self, kind: Callable[[], T]) -> T:
        """Return what the service's codecs of one kind share; it is made once."""
        made = self._dialects.get(kind)
        if made is None:
            made = self._dialects[kind] = kind()
        shared: T = made
        return shared

    @cached_property
    def namespace(self) -> str | None:
        """The XML namespace of the service's answers."""
        if "xmlNamespace" in self.metadata:
            uri: str = self.metadata["xmlNamespace"]
            return uri
        for operation in self.operations.values():
            namespace = operation.raw.get("input", {}).get("xmlNamespace")
            if namespace:
                found: str = namespace if isinstance(namespace, str) else namespace["uri"]
                return found
        return None

    @cached_property
    def error_shapes(self) -> Mapping[str, Shape]:
        """The error shapes by name."""
        return {name: self.shapes[name] for name in self._exceptions}

    @cached_property
    def _errors_by_code(self) -> Mapping[str, Shape]:
        by_code: dict[str, Shape] = {}
        for name, shape in self.error_shapes.items():
            by_code.setdefault(shape.error.get("code", name), shape)
        return {**by_code, **self.error_shapes}

    def error_shape(self, code: str) -> Shape | None:
        """Return the error shape of that name, or with that code."""
        return self._errors_by_code.get(code)

    def serialize_error(
        self, protocol: str, error: WireError, request_id: str, operation: Operation | None = None
    ) -> HttpResponse:
        """Return the response that carries an error, in the form that clients of the protocol read."""
        with _compiling:
            return error_writer_of(protocol)(self, error, request_id, operation)

    def match(self, request: HttpRequest) -> tuple[str, str] | None:
        """Return the protocol and the operation of a request that is for this service, or None."""
        from cloudlet.wire.matching import match

        return match(self, request)

    def __repr__(self) -> str:
        return f"<ServiceModel {self.name}>"


@cache
def load(service: str) -> ServiceModel:
    """Return the model of a service, by the name of its folder in botocore; it is loaded once.

    Raises `LookupError` if botocore knows no such service.
    """
    return ServiceModel(service, store.load_compiled(service))
