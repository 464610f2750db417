"""Packages to be downloaded: by URLs that hold for ten minutes (API reference, "GetFunction", "Code.Location")."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlencode

from cloudlet.core import Context
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions.function import Package
from cloudlet.wire import HttpRequest, HttpResponse
from cloudlet.wire.http import FileBody, FilePart

_FOLDER = "code"
_SECONDS = 600


def location(ctx: Context, package: Package) -> str:
    """Return the URL by which a package can be had for some minutes."""
    expires = str(int(ctx.now()) + _SECONDS)
    query = urlencode({"expires": expires, "signature": _signature(ctx.block, package.code, expires)})
    return f"{ctx.endpoint}/_cloudlet/{service.name}/{_FOLDER}/{package.code}?{query}"


def _signature(block: Block, code: str, expires: str) -> str:
    # No access key has spaces in it.
    return block.cloud.tokens.derive_secret(f"code {code} {expires}")


@service.folder(_FOLDER)
async def answer(block: Block, request: HttpRequest, path: str) -> HttpResponse:
    """Answer a GET of a package."""
    query = {name: values[0] for name, values in parse_qs(request.query).items()}
    expires = query.get("expires", "")
    signed = hmac.compare_digest(query.get("signature", "").encode(), _signature(block, path, expires).encode())
    if not signed or int(expires) < block.clock.now():
        return HttpResponse(403, [("content-type", "text/plain")], b"The URL is not valid, or not any more.\n")
    release = block.blobs.read([path])
    file = block.blobs.path(path)
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        release()
        return HttpResponse(404, [("content-type", "text/plain")], b"The package is not there any more.\n")
    return HttpResponse(200, [("content-type", "application/zip")], FileBody([FilePart(file, 0, size)], release))
