"""Sends events to methods of API Gateway's REST APIs, as a session of the target's role where it has one.

User guide, "Amazon API Gateway targets for rules in Amazon EventBridge".
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from cloudlet.core import Arn
from cloudlet.core.authorization.role_session import is_assumable
from cloudlet.core.background.retrying import DeliveryError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.engines.http_client import HttpResponse
from cloudlet.services.events import errors, http_request, http_sending
from cloudlet.services.events.http_request import Parameters, Request
from cloudlet.wire import HttpRequest, sigv4

SERVICE = "execute-api"
"""Of the ARNs of methods."""

_METHOD = re.compile(
    r"(?P<api>[a-z0-9]+)/(?P<stage>[\w-]+)/(?P<verb>\*|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT)"
    r"(?P<path>(/[\w.~!$&'()*+,;=:@%-]*)*)"
)
_ANY = "POST"
"""How a method is called that may be any."""
_FORBIDDEN = frozenset(
    (
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "host",
        "max-forwards",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "www-authenticate",
        "x-forwarded-for",
    )
)
_FORBIDDEN_PREFIX = "x-amz"
_CREDENTIALS_SECONDS = 900


def check(arn: Arn) -> None:
    """Raise AwsError for an ARN that is not one of a method, of one stage."""
    if _METHOD.fullmatch(arn.resource) is None:
        raise errors.validation(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")


def is_forbidden(header: str) -> bool:
    """Whether a target's parameters may not set a header."""
    return header.lower() in _FORBIDDEN or header.lower().startswith(_FORBIDDEN_PREFIX)


async def invoke(
    block: Block,
    account: str,
    arn: Arn,
    session: Principal | None,
    body: str,
    parameters: Parameters,
    trace: str = "",
) -> HttpResponse:
    """Send a body to a method, for an account; return the response of one that accepted it. Raises Failed.

    It is signed by the session of a role, where there is one.
    """
    found = _METHOD.fullmatch(arn.resource)
    if found is None:
        raise DeliveryError("INVALID_PARAMETER", f"{arn} is not the ARN of a method.", permanent=True)
    url = f"{block.cloud.config.endpoint}/_aws/{SERVICE}/{found['api']}/{found['stage']}"
    verb = _ANY if found["verb"] == "*" else found["verb"]
    request = http_request.to_method(url, found["path"], verb, body, parameters, trace)
    if session is not None:
        if not await is_assumable(block, session):
            raise DeliveryError("NO_PERMISSIONS", f"The role of {session.arn} cannot be assumed.", permanent=True)
        request = _signed(block, arn, session, request)
    response = await http_sending.send(block, account, request)
    refused = http_sending.refused(block, response)
    if refused is not None:
        raise refused
    return response


def _signed(block: Block, arn: Arn, session: Principal, request: Request) -> Request:
    """Return a request with a signature of a session of a role."""
    issued = block.cloud.tokens.issue(session, block.clock.now() + _CREDENTIALS_SECONDS)
    parts = urlsplit(request.url)
    # The clock here is the system's: it is what signatures are checked against.
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    own = {"host": parts.netloc, "x-amz-date": moment, "x-amz-security-token": issued.session_token}
    signing = HttpRequest(request.method, parts.path, parts.query, own, request.body)
    signature = sigv4.sign(signing, issued.access_key, issued.secret_key, arn.region, SERVICE, moment)
    return request._replace(headers=[*request.headers, *own.items(), ("authorization", signature)])
