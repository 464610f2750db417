"""Gateway responses: what a gateway answers by itself, and how an API may word that.

Developer guide, "Gateway responses for REST APIs in API Gateway" and "Gateway response types".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.answers import HEADER_NAME, remapped
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.outward import LARGEST_BYTES
from cloudlet.wire import HttpResponse

DEFAULT_4XX, DEFAULT_5XX = "DEFAULT_4XX", "DEFAULT_5XX"


class _Type(NamedTuple):
    status: int
    error: str
    """What the header x-amzn-ErrorType says."""


_TYPES = {
    "ACCESS_DENIED": _Type(403, "AccessDeniedException"),
    "API_CONFIGURATION_ERROR": _Type(500, "InternalServerErrorException"),
    "AUTHORIZER_CONFIGURATION_ERROR": _Type(500, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": _Type(500, "AuthorizerFailureException"),
    "BAD_REQUEST_BODY": _Type(400, "BadRequestException"),
    "BAD_REQUEST_PARAMETERS": _Type(400, "BadRequestException"),
    "EXPIRED_TOKEN": _Type(403, "ExpiredTokenException"),
    "INTEGRATION_FAILURE": _Type(504, "InternalServerErrorException"),
    "INTEGRATION_TIMEOUT": _Type(504, "InternalServerErrorException"),
    "INVALID_API_KEY": _Type(403, "ForbiddenException"),
    "INVALID_SIGNATURE": _Type(403, "InvalidSignatureException"),
    "MISSING_AUTHENTICATION_TOKEN": _Type(403, "MissingAuthenticationTokenException"),
    "QUOTA_EXCEEDED": _Type(429, "LimitExceededException"),
    "REQUEST_TOO_LARGE": _Type(413, "RequestTooLargeException"),
    "RESOURCE_NOT_FOUND": _Type(404, "NotFoundException"),
    "THROTTLED": _Type(429, "TooManyRequestsException"),
    "UNAUTHORIZED": _Type(401, "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": _Type(415, "UnsupportedMediaTypeException"),
    "WAF_FILTERED": _Type(403, "ForbiddenException"),
}
TYPES = (*_TYPES, DEFAULT_4XX, DEFAULT_5XX)
_TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}
_LARGE = 8 << 10
_LARGEST_TEMPLATE = 300 << 10
_STATUS = re.compile(r"[1-5]\d\d")
_PARAMETER = re.compile(rf"gatewayresponse\.header\.{HEADER_NAME.pattern}")
_VARIABLE = re.compile(
    r"\$(?:(?P<bare>(?:context|stageVariables|method\.request)\.[A-Za-z0-9_.-]*[A-Za-z0-9_-])"
    r"|\{(?P<braced>(?:context|stageVariables|method\.request)\.[A-Za-z0-9_.-]+)\})"
)
Lookup = Callable[[str], "str | None"]
"""Returns the value of a variable such as `context.requestId`."""


def default(kind: str) -> Document:
    """Return a response as it is where the API has not worded it."""
    response: Document = {
        "responseType": kind,
        "responseParameters": {},
        "responseTemplates": dict(_TEMPLATES),
        "defaultResponse": True,
    }
    if kind in _TYPES:
        response["statusCode"] = str(_TYPES[kind].status)
    return response


def checked(response: Document) -> Document:
    """Return a response of an API as it is kept. Raises BadRequestException."""
    status = response.get("statusCode")
    if not status:
        response.pop("statusCode", None)
    elif not _STATUS.fullmatch(status):
        raise errors.bad_request("Invalid status code specified")
    if "statusCode" not in response and response["responseType"] in _TYPES:
        response["statusCode"] = str(_TYPES[response["responseType"]].status)
    for name in response.setdefault("responseParameters", {}):
        if not _PARAMETER.fullmatch(name):
            raise errors.bad_request(
                f"Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                f"[Invalid mapping expression parameter specified: {name}]"
            )
    if not response.get("responseTemplates"):
        response["responseTemplates"] = dict(_TEMPLATES)
    if any(len(template) > _LARGEST_TEMPLATE for template in response["responseTemplates"].values()):
        raise errors.bad_request("Invalid mapping template specified: it is larger than 300 KB")
    response["defaultResponse"] = False
    return response


class GatewayResponses:
    """Those of one deployed API."""

    def __init__(self, own: list[Document]) -> None:
        self._own = {response["responseType"]: response for response in own}

    def status(self, kind: str, usual: int) -> int:
        """Return the status of a response of a type; `usual` is what it has where nothing is said."""
        own = self._of(kind, usual)
        status = int(own["statusCode"]) if own is not None and own.get("statusCode") else usual
        # With a status below, a response is not the last one to a request (RFC 9110, section 15.2).
        return status if status >= 200 else usual

    def takes_long(self, kind: str, usual: int) -> bool:
        """Whether a response of a type is better made beside the event loop."""
        own = self._of(kind, usual)
        return own is not None and sum(map(len, own["responseTemplates"].values())) > _LARGE

    def _of(self, kind: str, usual: int) -> Document | None:
        return self._own.get(kind) or self._own.get(DEFAULT_4XX if usual < 500 else DEFAULT_5XX)

    def response(self, kind: str, usual: int, accept: str, lookup: Lookup) -> HttpResponse:
        """Return the answer of a type; `lookup` gives the values of variables."""
        own = self._of(kind, usual)
        templates: Mapping[str, str] = _TEMPLATES if own is None else own["responseTemplates"]
        wanted = [each.partition(";")[0].strip() for each in accept.split(",")]
        content_type = next((each for each in wanted if each in templates), "")
        if not content_type:
            content_type = "application/json" if "application/json" in templates else next(iter(templates))
        body = _VARIABLE.sub(_Values(lookup), templates[content_type])
        known = _TYPES.get(kind)
        headers = [("content-type", content_type)]
        headers.append(("x-amzn-errortype", known.error if known else "InternalServerErrorException"))
        worded = []
        for name, value in ({} if own is None else own["responseParameters"]).items():
            text = value[1:-1] if value.startswith("'") else lookup(value)
            if text is not None:
                worded.append((name.removeprefix("gatewayresponse.header.").lower(), text))
        names = {name for name, _ in worded}
        headers = [pair for pair in headers if pair[0] not in names] + remapped(worded)
        return HttpResponse(self.status(kind, usual), headers, body.encode())


class _Values:
    """The values of variables in a template: each is looked up once, and together they have an end."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, str] = {}
        self._left = LARGEST_BYTES

    def __call__(self, match: re.Match[str]) -> str:
        name = match["bare"] or match["braced"]
        if name not in self._known:
            self._known[name] = self._lookup(name) or ""
        value = self._known[name][: self._left]
        self._left -= len(value)
        return value


def usual_status(kind: str) -> int:
    """Return the status that a type has where nothing is said."""
    return _TYPES[kind].status
