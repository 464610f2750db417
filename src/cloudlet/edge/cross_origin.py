"""What pages in a browser may do (CORS), and what they may not where nobody has to sign.

AWS's APIs answer pages from everywhere, since whoever calls them signs. In open mode everybody is let in: there, a
page that the user happens to look at must not have the user's cloud, so that only this machine's pages are answered.
For S3 a bucket's own rules say which pages may use it; but no page may have its own name lead here and pass for one of
Cloudlet's.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.origins import is_foreign, is_from_browser, is_loopback_name
from cloudlet.edge import data_plane_routing
from cloudlet.wire import HttpRequest, HttpResponse
from cloudlet.wire.claims import Claim
from cloudlet.wire.matching import identify

_EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-query-error,x-amz-crc32,x-amzn-trace-id,Date"
_REMEMBERED_SECONDS: Final = 172_800
_SAFE_NAMES: Final = (".localhost", *data_plane_routing.AWS_NAMES, "localhost.localstack.cloud")
"""The ends of names under which Cloudlet may be asked, and which nobody can have lead to pages first and then here."""


def is_cross_origin(headers: dict[str, str]) -> bool:
    """Whether a request comes from a page that is not this machine's own."""
    origin = headers.get("origin")
    if origin is not None:
        return is_foreign(origin)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "cross-site"
    # To a name that they do not take for this machine's, browsers do not say where they come from.
    return is_from_browser(headers) and not is_loopback_name(
        data_plane_routing.bare_host(headers.get("host", "")).strip("[]")
    )


def is_rebound_host(headers: dict[str, str], public_host: str) -> bool:
    """Whether a browser asks by a name that others may have lead here, so that their pages are of the same origin."""
    if not is_from_browser(headers):
        return False
    name = data_plane_routing.bare_host(headers.get("host", ""))
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return "." in name and name != public_host and not name.endswith((*_SAFE_NAMES, f".{public_host}"))
    return False


def has_rules(request: HttpRequest, service: str, operation: str, claim: Claim | None) -> bool:
    """Whether a bucket's own rules say which pages may do this: browsers ask for them first.

    They do not before a POST: that is refused unless it is signed, or a form with a file, which is for pages to send.
    """
    return service == "s3" and (request.method != "POST" or operation == "PostObject" or claim is not None)


def refused(service: str = "") -> AwsError:
    """The error for a page from elsewhere, in open mode."""
    return AwsError(
        "AccessDenied" if service == "s3" else "AccessDeniedException",
        "In open mode Cloudlet answers pages of this machine only (http://localhost:…), and browsers under names of "
        "this machine and that of --endpoint only. With --auth strict it answers all that sign.",
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
        *make_cors_headers(),
        ("access-control-max-age", str(_REMEMBERED_SECONDS)),
        *([("access-control-allow-methods", method)] if method else []),
        *([("access-control-allow-headers", wanted)] if wanted else []),
    ]
    return HttpResponse(200, allowed)


def make_cors_headers() -> list[tuple[str, str]]:
    """Return the headers that let a page read an API's answer."""
    return [("access-control-allow-origin", "*"), ("access-control-expose-headers", _EXPOSED)]
