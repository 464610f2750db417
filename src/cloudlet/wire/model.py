"""A service as its model describes it: operations, errors, protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from cloudlet.wire import cache as store
from cloudlet.wire.errors import WireError
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.operation import COMPILING, Operation
from cloudlet.wire.protocols import error_writer_of
from cloudlet.wire.shapes import Shape, Shapes

if TYPE_CHECKING:
    from cloudlet.wire.routes import Router
    from cloudlet.wire.validation import Validator

T = TypeVar("T")


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
        self.operations: Mapping[str, Operation] = {
            name: Operation(self, name, raw) for name, raw in compiled.operations.items()
        }
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

        return Validator(self.name)

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
        with COMPILING:
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
