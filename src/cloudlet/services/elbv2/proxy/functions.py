"""Lambda functions as targets (developer guide, "Lambda functions as targets")."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.function_response import MalformedResponse, decode_body, text
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import make_principal
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.block_server import Headers, Request, Response, make_page
from cloudlet.services.elbv2.proxy.view import TargetGroup

PRINCIPAL: Final = "elasticloadbalancing.amazonaws.com"
_MAX_RESPONSE_BYTES: Final = 1 << 20
_TEXT: Final = ("application/json", "application/javascript", "application/xml")
_HOP_BY_HOP: Final = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REASON: Final = re.compile("[\t -~]*")
_VALUE: Final = re.compile(r"[^\0\r\n]*")
_OWN: Final = frozenset((*names.INTERNAL_HEADERS, "transfer-encoding", "content-length"))


async def answer(block: Block, group: TargetGroup, request: Request) -> Response:
    """Return a function's response to a request, or a page where it has failed."""
    if request.is_too_large:
        return make_page(413, "LambdaRequestTooLarge")
    function = group.targets[0].id
    has_lists = group.attributes.get("lambda.multi_value_headers.enabled") == "true"
    event = make_event(group.arn, request, has_lists=has_lists)
    owner = Arn.parse(group.arn)
    region = Arn.parse(function).region
    principal = make_principal("service", owner.account, PRINCIPAL, "elbv2", "")
    params = {"FunctionName": function, "InvocationType": "RequestResponse", "Payload": msgspec.json.encode(event)}
    try:
        found = await block.cloud.call(
            "lambda",
            "Invoke",
            params,
            principal=principal,
            account=owner.account,
            region=region,
            source_arn=group.arn,
            trace=request.get("x-amzn-trace-id") or None,
        )
    except AwsError as error:
        return make_page(503 if error.status == _TOO_MANY else 502, _find_reason(error))
    result = found or {}
    if result.get("FunctionError"):
        return make_page(502, "LambdaUnhandled")
    payload = result.get("Payload") or b""
    if len(payload) > _MAX_RESPONSE_BYTES:
        return make_page(502, "LambdaResponseTooLarge")
    try:
        return parse_response(payload, has_lists=has_lists)
    except MalformedResponse:
        return make_page(502, "LambdaInvalidResponse")


_TOO_MANY: Final = 429
_REASONS: Final = {
    "AccessDeniedException": "LambdaAccessDenied",
    "InvalidRequestContentException": "LambdaBadRequest",
    "ResourceNotFoundException": "LambdaResourceNotFound",
    "TooManyRequestsException": "LambdaThrottling",
}
_SAME_NAMED: Final = re.compile("(EC2|ENI|Invalid|KMS|Service|Subnet).*Exception")


def _find_reason(error: AwsError) -> str:
    """Return AWS's code for an invocation that has failed."""
    own = f"Lambda{error.code}" if _SAME_NAMED.fullmatch(error.code) else "LambdaUnhandledException"
    return _REASONS.get(error.code, own)


def make_event(group_arn: str, request: Request, *, has_lists: bool) -> dict[str, Any]:
    """Return the event of a request.

    With lists it has all values of headers and parameters that are repeated.
    """
    path, _, query = request.target.partition("?")
    parameters = [(key, value) for key, _, value in (each.partition("=") for each in query.split("&")) if key]
    headers = [(name, value) for name, value in request.headers if name not in _OWN]
    is_encoded = _is_encoded(request)
    body = b64encode(request.body).decode() if is_encoded else request.body.decode("utf-8", "replace")
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group_arn}},
        "httpMethod": request.method,
        "path": path,
    }
    if has_lists:
        event |= {"multiValueQueryStringParameters": _collect(parameters), "multiValueHeaders": _collect(headers)}
    else:
        event |= {"queryStringParameters": dict(parameters), "headers": dict(headers)}
    return {**event, "body": body, "isBase64Encoded": is_encoded}


def _is_encoded(request: Request) -> bool:
    """Whether a body is base64 in the event."""
    if not request.body:
        return False
    if request.get("content-encoding"):
        return True
    kind = request.get("content-type").partition(";")[0].strip().lower()
    return not (kind.startswith("text/") or kind in _TEXT)


def _collect(pairs: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def parse_response(payload: bytes, *, has_lists: bool) -> Response:
    """Return the response that a function's answer says. Raises MalformedResponse."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        raise MalformedResponse("it is not JSON") from None
    status = said.get("statusCode") if isinstance(said, dict) else None
    if isinstance(status, str) and re.fullmatch("[1-9][0-9]{2}", status):
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise MalformedResponse("it has no status code")
    member = said.get("multiValueHeaders" if has_lists else "headers")
    member = {} if member is None else member
    if not isinstance(member, dict):
        raise MalformedResponse("its headers are no object")
    headers = [(name, text(value)) for name, values in member.items() for value in _list(values, has_lists)]
    headers = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers):
        raise MalformedResponse("it has a header that HTTP does not know")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/octet-stream"))
    reason = str(said.get("statusDescription") or "").removeprefix(str(status)).strip()
    if not _REASON.fullmatch(reason):
        raise MalformedResponse("its status description is no text for HTTP")
    return Response(status, [("Server", _SERVER), *headers], decode_body(said), reason)


_SERVER: Final = "awselb/2.0"


def _list(values: Any, has_lists: bool) -> list[Any]:
    if has_lists != isinstance(values, list):
        raise MalformedResponse("a header has the form of the other setting")
    return values if has_lists else [values]
