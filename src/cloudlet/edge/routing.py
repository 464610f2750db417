"""Which service and operation a request is for."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.models import get_block_name, get_handler_key
from cloudlet.edge.buckets import PathStyleAddress, to_path_style
from cloudlet.edge.data_plane_routing import CONNECTIONS, names_api
from cloudlet.wire import HttpRequest, Operation, ServiceModel, load
from cloudlet.wire.catalog import candidates
from cloudlet.wire.claims import Claim
from cloudlet.wire.matching import QUEUE_PATH, action_asked, form_of_queues, identify, match, version_asked
from cloudlet.wire.protocols import FORMS

DEFAULT_REGION: Final = "us-east-1"
OWN_PATHS: Final = ("/_cloudlet/", "/_localstack/")
"""Cloudlet's own, which are no AWS API's."""

_REGION_IN_HOST: Final = re.compile(r"(?:^|\.)([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d)(?:\.|$)", re.ASCII)


class Route:
    """Where a request goes: the operation of a service, in one of its protocols."""

    __slots__ = ("address", "block", "key", "model", "operation", "protocol", "service")

    def __init__(
        self, model: ServiceModel, protocol: str, operation: Operation, address: PathStyleAddress | None = None
    ) -> None:
        self.model = model
        self.service = model.name
        self.block = get_block_name(model.name)
        self.key = get_handler_key(model.name, operation.name)
        """The name under which the block declares the operation."""
        self.protocol = protocol
        self.operation = operation
        self.address = address
        """What the model reads instead of the request's own path and query string."""

    def path_of(self, request: HttpRequest) -> str:
        """Return the path of a request as if its bucket were in it, were that in the host or not."""
        if self.address is None:
            return request.path
        return self.address.path if request.path not in ("", "/") else f"{self.address.path}/"


class Unroutable(Exception):
    """No operation matches; the error, whose error it is and how it is written."""

    def __init__(self, error: AwsError, model: ServiceModel, protocol: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.model = model
        self.protocol = protocol


@cache
def get_unknown_service(protocol: str) -> ServiceModel:
    """Return the model of no service at all, to write errors in a protocol where no service is known."""
    return ServiceModel.from_description({"metadata": {"protocol": protocol}, "operations": {}, "shapes": {}})


_TARGETS_LIMIT: Final = 10_000


@lru_cache(_TARGETS_LIMIT)
def get_route(model: str, protocol: str, operation: str) -> Route:
    """Return the way to an operation, by the names that a route has."""
    loaded = load(model)
    return Route(loaded, protocol, loaded.operations[operation])


_by_target: Final[dict[tuple[str, str], Route]] = {}


def route(request: HttpRequest, claim: Claim | None, public_host: str = "localhost") -> Route:
    """Return where a request goes. Raises Unroutable."""
    target = request.headers.get("x-amz-target")
    signed_for = "" if claim is None else claim.service
    if target is not None:
        known = _by_target.get((signed_for, target))
        if known is not None:
            return known
    if target is None and signed_for in ("execute-api", ""):
        to_client = _to_client(request, signed_for)
        if to_client is not None:
            return to_client
    addressed = to_path_style(request, signed_for, public_host) if target is None else None
    if addressed is not None:
        found = _signed(_at(request, addressed), "s3")
        return Route(found.model, found.protocol, found.operation, addressed)
    found = _signed(request, signed_for) if signed_for else _unsigned(request)
    # Services of the REST protocols take no notice of that header: it says nothing of what else is asked of them.
    if target is not None and found.protocol == "json" and len(_by_target) < _TARGETS_LIMIT:
        _by_target[signed_for, target] = found
    return found


def _to_client(request: HttpRequest, signed_for: str) -> Route | None:
    """Return where a request goes that is about a client of a WebSocket API: it is sent to the API's own address."""
    head, found, rest = request.path.partition(CONNECTIONS)
    if not found or not (head == "" or signed_for or names_api(request.headers.get("host", ""), head)):
        return None
    at = PathStyleAddress(found + rest, request.query)
    model = load("apigatewaymanagementapi")
    matched = match(model, _at(request, at))
    return None if matched is None else Route(model, matched[0], model.operations[matched[1]], at)


def _at(request: HttpRequest, at: PathStyleAddress) -> HttpRequest:
    return HttpRequest(request.method, at.path, at.query, request.headers, request.body)


def _signed(request: HttpRequest, service: str) -> Route:
    """A signed request names its service in its credential scope; some names are shared by several."""
    names = candidates(service)
    if not names:
        error = AwsError("NotImplemented", f"Cloudlet does not implement the service {service}.", status=501)
        protocol = protocol_of(request, None)
        raise Unroutable(error, get_unknown_service(protocol), protocol)
    for name in names:
        model = load(name)
        found = match(model, request)
        if found is not None:
            return get_route(name, *found)
    model = load(names[0])
    protocol = protocol_of(request, model)
    error = _not_allowed() if model.name == "s3" else _unknown_operation(request, protocol, model)
    raise Unroutable(error, model, protocol)


def _unsigned(request: HttpRequest) -> Route:
    for found in identify(request):
        return get_route(*found)
    if action_asked(request) and QUEUE_PATH.fullmatch(request.path):
        model = load("sqs")
        protocol = protocol_of(request, model)
        raise Unroutable(_unknown_operation(request, protocol, model), model, protocol)
    protocol = protocol_of(request, None)
    if protocol == "json" and "x-amz-target" not in request.headers:
        # Nothing says whose it is, as with S3's requests.
        raise Unroutable(_not_allowed(), load("s3"), "rest-xml")
    model = get_unknown_service(protocol)
    raise Unroutable(_unknown_operation(request, protocol, model), model, protocol)


def _not_allowed() -> AwsError:
    """S3's error for a method that a bucket or an object has not."""
    message = "The specified method is not allowed against this resource."
    return AwsError("MethodNotAllowed", message, status=405)


def protocol_of(request: HttpRequest, model: ServiceModel | None) -> str:
    """Return the protocol in which an error can be read by who sent a request that matches nothing."""
    headers = request.headers
    spoken = ("json",) if model is None else model.protocols
    if "smithy-protocol" in headers and (model is None or "smithy-rpc-v2-cbor" in spoken):
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers and (model is None or "json" in spoken):
        return "json"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded") or action_asked(request):
        if model is not None and model.name == "sqs":
            return form_of_queues(request)
        for protocol in ("query", "ec2"):
            if model is None or protocol in spoken:
                return protocol
    return spoken[0]


def _unknown_operation(request: HttpRequest, protocol: str, model: ServiceModel) -> AwsError:
    if protocol == "ec2" or protocol in FORMS:
        action, version = action_asked(request), version_asked(request)
        if not action:
            return AwsError("MissingAction", "The request is missing an action or a required parameter.", status=400)
        if model.name == "sqs":
            return _unknown_to_queues(action, version, model)
        return AwsError(
            "InvalidAction",
            f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}",
            status=400,
        )
    target = request.headers.get("x-amz-target")
    what = target or f"{request.method} {request.path}"
    # There is one path for all operations that a target names: it was found, the operation was not.
    status = 404 if target is None else 400
    return AwsError("UnknownOperationException", f"No operation matches the request: {what}", status=status)


def _unknown_to_queues(action: str, version: str, model: ServiceModel) -> AwsError:
    """Return SQS's own errors: its front end for forms is not the one that AWS's other services share."""
    if action in model.operations and version not in ("", model.api_version):
        return AwsError("NoSuchVersion", f"The requested version ( {version} ) is not valid.", status=400)
    return AwsError("InvalidAction", f"The action {action} is not valid for this endpoint.", status=400)


def region_of(request: HttpRequest, claim: Claim | None) -> str:
    """Return the region that a request is for: signed for, named in the host, or the default one."""
    if claim is not None and claim.credential.region:
        return claim.credential.region
    found = _REGION_IN_HOST.search(request.headers.get("host", "").partition(":")[0])
    return DEFAULT_REGION if found is None else found[1]
