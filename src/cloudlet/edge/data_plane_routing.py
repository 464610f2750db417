"""What a request's host, or path, says of the application that it is for."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final, NamedTuple

from cloudlet.wire import HttpRequest

BLOCK_BY_HOST_LABEL: Final = {
    "cloudformation-response": "cloudformation",
    "elb": "elbv2",
    "execute-api": "apigateway",
    "lambda-url": "lambda",
    "ssmmessages": "ecs",
}
"""The part of a host that says what kind of resource it names → the block that has them."""
_NAMED: Final = re.compile(rf"(?P<id>[a-z0-9-]+)\.(?P<kind>{'|'.join(BLOCK_BY_HOST_LABEL)})\.[a-z0-9.-]+")
_APPLICATION_BALANCER: Final = re.compile(r"(?P<id>[a-z0-9-]+)\.[a-z0-9-]+\.elb\.[a-z0-9.-]+")
"""A load balancer's host, which has its region before the kind."""
_INGRESS: Final = re.compile(r"[a-z0-9]{1,3}-(?P<id>[0-9a-f]{8})[0-9a-f]{24}\.ecs\.[a-z0-9-]+\.on\.aws")
"""The host of a service of Amazon ECS.

Its first eight digits are the last ones of its load balancer's name.
"""
_BY_PATH: Final = re.compile(
    rf"(?P<prefix>/_aws/(?P<kind>{'|'.join(BLOCK_BY_HOST_LABEL)})/(?P<id>[a-z0-9.-]+))(?P<path>/.*)?"
)
_REGISTRY: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+", re.ASCII
)
"""A container registry's host, under whichever domain it leads here."""
_PUBLIC_REGISTRY: Final = "public.ecr.aws"
_REGISTRY_PATH: Final = re.compile(r"/v2(?:/|/_catalog|/[^?#]+/(?:blobs|manifests|tags|referrers)/[^?#]*)?", re.ASCII)
"""Paths of the OCI distribution protocol, which has no place for a registry's name."""
_REST_BY_PATH: Final = re.compile(
    r"(?P<prefix>/restapis/(?P<id>[a-z0-9]+))/(?P<stage>[^/]+)/_user_request_(?P<path>/.*)?"
)
CONNECTIONS: Final = "/@connections/"
"""What is sent to clients of WebSocket APIs is an operation of AWS's API, though it goes to the API's host."""
_KNOWN_HOSTS: Final = 1000
_SIGNATURES: Final = ("AWS4-", "AWS ")
_FOR_API: Final = re.compile(r"(?:/|%2F)execute-api(?:/|%2F)aws4_request", re.IGNORECASE)
"""What the credential of a request ends with that is signed for an API."""
AWS_NAMES: Final = (".amazonaws.com", ".api.aws", ".on.aws", ".amazonaws.com.cn")


class DataPlaneRoute(NamedTuple):
    """What a request to an application is for."""

    block: str
    resource: str
    """Empty where it may be a domain of some application, which its block knows."""
    path: str
    prefix: str


def find_route(request: HttpRequest, public_host: str) -> DataPlaneRoute | None:
    """Return what a request is for where that is an application, and None where it is AWS's API."""
    path = request.path
    if path.startswith(("/_aws/", "/restapis/")):
        found = _by_path(path)
        if found is not None:
            return found
    if path.startswith("/v2") and _is_for_registry(request, public_host):
        return DataPlaneRoute("ecr", "registry", path, "")
    named = _named(request.headers.get("host", ""), public_host)
    if named is None or CONNECTIONS in path or (not named[1] and _is_for_aws(request)):
        return None
    return DataPlaneRoute(*named, path or "/", "")


def _is_for_registry(request: HttpRequest, public_host: str) -> bool:
    """Whether a request is one to a container registry.

    Its host is this machine's own address, and its path says so: buckets have longer names, and API Gateway's
    operations, which have such paths, are signed.
    """
    if not _REGISTRY_PATH.fullmatch(request.path) or _is_for_aws(request):
        return False
    host = bare_host(request.headers.get("host", ""))
    return host in ("", "localhost", public_host) or "." not in host or _is_address(host)


def _is_for_aws(request: HttpRequest) -> bool:
    """Whether a request is signed as AWS has it, and not for an application, whose own tokens are something else."""
    given = request.headers.get("authorization")
    if given is None:
        return "X-Amz-Signature=" in request.query and not _FOR_API.search(request.query)
    return given.startswith(_SIGNATURES) and not _FOR_API.search(given)


def _by_path(path: str) -> DataPlaneRoute | None:
    match = _BY_PATH.fullmatch(path)
    if match is not None and CONNECTIONS not in path:
        return DataPlaneRoute(BLOCK_BY_HOST_LABEL[match["kind"]], match["id"], match["path"] or "/", match["prefix"])
    match = _REST_BY_PATH.fullmatch(path)
    if match is not None:
        return DataPlaneRoute("apigateway", match["id"], f"/{match['stage']}{match['path'] or '/'}", match["prefix"])
    return None


@lru_cache(_KNOWN_HOSTS)
def _named(header: str, public_host: str) -> tuple[str, str] | None:
    """Return the block and the id of what a Host header names; None for a host of AWS's own API."""
    host = bare_host(header)
    match = _NAMED.fullmatch(host)
    if match is not None:
        return BLOCK_BY_HOST_LABEL[match["kind"]], match["id"]
    match = _APPLICATION_BALANCER.fullmatch(host)
    if match is not None:
        return "elbv2", match["id"]
    match = _INGRESS.fullmatch(host)
    if match is not None:
        return "elbv2", f"alb-{match['id']}"
    match = _REGISTRY.fullmatch(host)
    if match is not None:
        return "ecr", f"{match['account']}/{match['region']}"
    if host == _PUBLIC_REGISTRY:
        return "ecr", "public"
    if host in ("", "localhost", public_host) or host.endswith(AWS_NAMES) or "." not in host or _is_address(host):
        return None
    return "apigateway", ""


def can_be_domain(host: str, public_host: str) -> bool:
    """Whether a host, in lower case and without a port, may be an application's domain."""
    return _named(host, public_host) == ("apigateway", "")


def bare_host(host: str) -> str:
    """Return the name in a Host header, in lower case, without the port."""
    return host.rpartition("@")[2].rsplit(":", 1)[0].lower() if not host.endswith("]") else host


def names_api(host: str, path: str) -> bool:
    """Whether a Host header, or the beginning of a path, names an API."""
    return bool(_NAMED.fullmatch(bare_host(host)) or _BY_PATH.fullmatch(path))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
