"""Requests to the registry: authenticated, and led to what answers them."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.ecr import authorization_token, downloads, repository
from cloudlet.services.ecr.authorization_token import Bearer
from cloudlet.services.ecr.distribution import blob_requests, manifest_requests
from cloudlet.services.ecr.distribution.addressing import Address, RegistryName, parse, parse_resource
from cloudlet.services.ecr.distribution.call import Call, make_context
from cloudlet.services.ecr.distribution.responses import API_VERSION, ProtocolError, translate
from cloudlet.services.ecr.public_registry import HOST, REGION
from cloudlet.wire import HttpResponse

_CATALOG: Final = "/v2/_catalog"
_BASE: Final = ("/v2", "/v2/")
_NOBODY: Final = (None, "Basic Og==")
"""The Authorization of who has no token: podman and skopeo send an empty password."""


async def answer(block: Block, visit: DataPlaneRequest) -> HttpResponse:
    """Answer a request to the registry."""
    try:
        return await _answer(block, visit)
    except ProtocolError as error:
        return error.to_response()
    except AwsError as error:
        return translate(error).to_response()


async def _answer(block: Block, visit: DataPlaneRequest) -> HttpResponse:
    host = parse_resource(visit.resource)
    path = unquote(visit.path)
    address = parse(path, host)
    method = visit.request.method
    if address is not None and address.kind == "blobs" and method in ("GET", "HEAD") and address.registry is not None:
        where = "/".join((*address.registry, address.name))
        if downloads.is_signed(block, where, address.reference, visit.request.query):
            range_header = visit.request.headers.get("range", "")
            return await blob_requests.send_blob(
                block, *address.registry, address.name, address.reference, method, range_header
            )
    is_public = address is not None and address.registry is not None and address.registry.region == REGION
    if is_public and method in ("GET", "HEAD") and visit.request.headers.get("authorization") in _NOBODY:
        bearer = Bearer(ANONYMOUS, REGION, "")
    else:
        bearer = _identify(block, visit, host)
    if path in _BASE:
        return HttpResponse(200, [("content-type", "application/json"), API_VERSION], b"{}")
    if path == _CATALOG:
        address = Address("", host, "", "catalog", "")
    if address is None:
        raise ProtocolError("UNSUPPORTED", "There is nothing at this path", 404)
    ctx = await make_context(block, visit, bearer, address.registry)
    call = Call(block, visit, bearer, address, ctx)
    if address.kind == "catalog":
        return await manifest_requests.list_repositories(call)
    if not repository.is_name(address.name):
        raise ProtocolError("NAME_INVALID", f"{address.name[:300]!r} is no name of a repository", 400)
    return await _answer_call(call)


async def _answer_call(call: Call) -> HttpResponse:
    kind, reference = call.address.kind, call.address.reference
    if kind == "manifests":
        return await manifest_requests.answer_manifest(call)
    if kind == "tags":
        return await manifest_requests.list_tags(call)
    if kind == "referrers":
        return await manifest_requests.list_referrers(call)
    if reference in ("uploads", blob_requests.UPLOADS):
        return await blob_requests.begin_upload(call)
    if reference.startswith(blob_requests.UPLOADS):
        return await blob_requests.answer_upload(call)
    return await blob_requests.answer_blob(call)


def _identify(block: Block, visit: DataPlaneRequest, host: RegistryName | None) -> Bearer:
    """Return who makes a request. Raises ProtocolError: with the challenge where there is no token, or a wrong one."""
    header = visit.request.headers.get("authorization")
    try:
        if header is not None:
            return authorization_token.open_basic(block, header)
        message = "Not Authorized"
    except authorization_token.ExpiredToken:
        message = "Your authorization token has expired. Reauthenticate and try again."
        raise ProtocolError("DENIED", message, 403) from None
    except ValueError:
        message = "Not Authorized"
    name = visit.request.headers.get("host", "localhost")
    if host is not None:
        name = HOST if host.region == REGION else repository.make_registry_name(*host)
    scheme = "https" if visit.secure else "http"
    challenge = f'Basic realm="{scheme}://{name}/",service="ecr.amazonaws.com"'
    raise ProtocolError("UNAUTHORIZED", message, 401, [("www-authenticate", challenge)])
