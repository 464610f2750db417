"""What pages in a browser may do (CORS), and what they may not where nobody has to sign.

AWS's APIs answer pages from everywhere, since whoever calls them signs. In open mode everybody is let in: there, a
page that the user happens to look at must not have the user's cloud, so that only this machine's pages are answered.
S3 is not concerned: a bucket's own rules say which pages may use it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from cloudlet.core.errors import AwsError
from cloudlet.wire import HttpRequest, HttpResponse
from cloudlet.wire.matching import identify

_EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-query-error,x-amz-crc32,x-amzn-trace-id,Date"
_REMEMBERED_SECONDS = 172_800


def comes_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a page that is not this machine's own."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "cross-site"
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return True
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def refused() -> AwsError:
    """The error for a page from elsewhere, in open mode."""
    return AwsError(
        "AccessDeniedException",
        "In open mode Cloudlet answers pages of this machine only (http://localhost:…). With --auth strict it answers "
        "all that sign.",
        status=403,
    )


def preflight(request: HttpRequest) -> HttpResponse | None:
    """Answer a browser that asks whether a page may call an API; None where the question is for S3."""
    headers = request.headers
    method = headers.get("access-control-request-method")
    if request.method != "OPTIONS" or "origin" not in headers:
        return None
    wanted = headers.get("access-control-request-headers", "")
    if request.path != "/" and "x-amz-target" not in wanted.lower():
        asked = HttpRequest(method or "GET", request.path, request.query, {"host": headers.get("host", "")})
        found = identify(asked)
        if not found or found[0][0] == "s3":
            return None
    allowed = [
        *allowing(),
        ("access-control-max-age", str(_REMEMBERED_SECONDS)),
        *([("access-control-allow-methods", method)] if method else []),
        *([("access-control-allow-headers", wanted)] if wanted else []),
    ]
    return HttpResponse(200, allowed)


def allowing() -> list[tuple[str, str]]:
    """Return the headers that let a page read an API's answer."""
    return [("access-control-allow-origin", "*"), ("access-control-expose-headers", _EXPOSED)]
