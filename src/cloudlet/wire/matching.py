"""Whose request it is: which service, which protocol, which operation.

`match` decides among the operations of a service that is known; `identify` searches the supported services, for
requests that are not signed. Both read the request only and decide nothing about who may send it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus

from cloudlet.wire.catalog import catalog
from cloudlet.wire.http import HttpRequest

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel

Match = tuple[str, str]
"""A protocol and the name of an operation."""

# Each begins with its name, which is looked for much faster than what may stand before it.
_ACTION: Final = re.compile(rb"Action=(?<![^&]Action=)([^&\s]*)")
_VERSION: Final = re.compile(rb"Version=(?<![^&]Version=)([^&\s]*)")
_RPC_PATH: Final = re.compile(r"/service/([^/]+)/operation/([^/]+)/?\Z")
_ARN_SERVICE: Final = re.compile(r"arn:[a-z-]+:([a-z0-9-]+):")
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_PROTOCOLS: Final = ("query", "ec2")
QUEUE_PATH: Final = re.compile(r"/\d{12}/[\w.-]+/?", re.ASCII)
"""The path of a queue's URL."""
_OF_NO_QUEUE: Final = ("CreateQueue", "ListQueues")
"""Operations that a queue's URL does not have."""


def match(service: ServiceModel, request: HttpRequest) -> Match | None:
    """Return the protocol and the operation of a request that is for this service, or None."""
    found = _match(service, request)
    return None if found is None else (found[0], found[1])


def _match(service: ServiceModel, request: HttpRequest) -> tuple[str, str, int] | None:
    """Return protocol, operation and how specific the match is."""
    protocols, operations = service.protocols, service.operations
    headers = request.headers
    if "smithy-protocol" in headers:
        # Any service is spoken to in it, whatever else it speaks: so do the blocks among themselves.
        rpc = _rpc_call(request)
        if rpc and rpc[0] in (service.target_prefix, service.name) and rpc[1] in operations:
            return "smithy-rpc-v2-cbor", rpc[1], 100
        return None
    target = headers.get("x-amz-target")
    if target is not None and "json" in protocols:
        prefix, _, name = target.rpartition(".")
        if name in operations and _is_prefix(prefix, service.target_prefix):
            return "json", name, 100
        return None
    for protocol in protocols:
        if protocol in _FORM_PROTOCOLS:
            action = action_asked(request)
            if service.name == "sqs":
                protocol = form_of_queues(request)
                if action in _OF_NO_QUEUE and QUEUE_PATH.fullmatch(request.path):
                    return None
            if action in operations:
                return (protocol, action, 100) if version_asked(request) in ("", service.api_version) else None
        elif protocol.startswith("rest-"):
            routed = service.router.find(request)
            if routed is not None:
                return protocol, routed[0], routed[1]
    return None


def form_of_queues(request: HttpRequest) -> str:
    """Return the form of the query protocol in which SQS answers a request: JSON, where that is accepted."""
    return "query-json" if request.headers.get("accept", "").startswith("application/json") else "query"


def _is_prefix(prefix: str, known: str | None) -> bool:
    # CloudTrail's has a namespace before it, which not all clients send.
    return known is not None and (prefix == known or known.endswith(f".{prefix}"))


def _rpc_call(request: HttpRequest) -> tuple[str, str] | None:
    found = _RPC_PATH.search(request.path)
    return (found[1], found[2]) if found else None


def _form_field(request: HttpRequest, pattern: re.Pattern[bytes]) -> str:
    """Return a field of a form's query string or body, empty where it has none."""
    found = pattern.search(request.query.encode("utf-8", "replace")) if request.query else None
    if found is None and isinstance(request.body, bytes) and _is_form(request):
        found = pattern.search(request.body)
    if found is None:
        return ""
    text = found[1].decode("latin-1")
    return unquote_plus(text) if "%" in text or "+" in text else text


def _is_form(request: HttpRequest) -> bool:
    return request.method == "POST" and request.headers.get("content-type", _FORM).lower().startswith(_FORM)


def action_asked(request: HttpRequest) -> str:
    """Return the operation that a form is for; empty where it does not say so."""
    return _form_field(request, _ACTION)


def version_asked(request: HttpRequest) -> str:
    """Return the version of the API that a form is written for; empty where it does not say so.

    AWS's references call it required, but SNS's own links, to confirm a subscription, go without.
    """
    return _form_field(request, _VERSION)


def identify(request: HttpRequest, services: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
    """Return what a request may be, as service, protocol and operation, the likeliest first.

    Without `services` all that are supported are searched; models are loaded only of those that the catalog leaves
    open. What several services would understand is ordered by the host, by an ARN in the path, and by how much of
    the path is literal.
    """
    from cloudlet.wire.model import load

    named = list(services) if services is not None else _possible(request)
    host = set(request.headers.get("host", "").partition(":")[0].lower().split("."))
    arn = _ARN_SERVICE.search(unquote(request.path))
    found = []
    for name in named:
        matched = _match(load(name), request)
        if matched is not None:
            entry = catalog().get(name)
            hinted = entry is not None and bool(host & {entry.endpoint_prefix, entry.signing_name, name})
            owner = entry is not None and arn is not None and arn[1] == entry.signing_name and matched[2] < 100
            found.append(((hinted, owner, matched[2]), (name, matched[0], matched[1])))
    found.sort(key=lambda item: item[0], reverse=True)
    return [what for _, what in found]


def _possible(request: HttpRequest) -> list[str]:
    """Return the services that a request may be for, by the catalog alone."""
    entries = catalog().values()
    headers = request.headers
    if "smithy-protocol" in headers:
        rpc = _rpc_call(request)
        return [entry.service for entry in entries if rpc and rpc[0] in (entry.target_prefix, entry.service)]
    target = headers.get("x-amz-target")
    if target is not None:
        prefix = target.rpartition(".")[0]
        return [entry.service for entry in entries if _is_prefix(prefix, entry.target_prefix)]
    if action_asked(request):
        speaking = [entry for entry in entries if any(protocol in _FORM_PROTOCOLS for protocol in entry.protocols)]
        version = version_asked(request)
        return [entry.service for entry in speaking if version in ("", entry.api_version)]
    segments = request.path.strip("/").split("/")
    rest = [entry for entry in entries if any(protocol.startswith("rest-") for protocol in entry.protocols)]
    return [
        entry.service
        for entry in rest
        if segments[0] in entry.first_segments or entry.service == "s3" or "@connections" in segments
    ]
