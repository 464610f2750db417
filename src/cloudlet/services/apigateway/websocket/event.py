"""What happens on a connection, as functions, endpoints and logs are told of it.

Developer guide, "Integration request for WebSocket APIs" and "WebSocket API mapping template reference".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.apigateway import expressions
from cloudlet.services.apigateway.clf import clf_time
from cloudlet.services.apigateway.documents import Place

if TYPE_CHECKING:
    from cloudlet.services.apigateway.websocket.compiled import Route, Stage

CONNECT, MESSAGE, DISCONNECT = "CONNECT", "MESSAGE", "DISCONNECT"


def fresh_id() -> str:
    """Return an id as requests, messages and connections have it."""
    return b64encode(random_bytes(11), b"-_").decode()


class Session:
    """A connection, as far as all its events tell of it."""

    __slots__ = (
        "api_id",
        "authorizer",
        "connected",
        "domain",
        "host",
        "id",
        "peer",
        "place",
        "principal",
        "principal_id",
        "stage",
        "user_agent",
    )

    def __init__(self, place: Place, api_id: str, stage: str, domain: str, host: str, peer: str, agent: str) -> None:
        self.id = fresh_id()
        self.place = place
        self.api_id = api_id
        self.stage = stage
        self.domain = domain
        self.host = host
        self.peer = peer
        self.user_agent = agent
        self.connected = 0.0
        """Since when, in seconds since the epoch."""
        self.principal: Principal | None = None
        self.principal_id = ""
        self.authorizer: Mapping[str, Any] | None = None
        """What the authorizer has told."""


class Event:
    """One event of a connection, and what became of it so far."""

    __slots__ = (
        "authorizer_error",
        "body",
        "error",
        "headers",
        "integration_error",
        "integration_millis",
        "integration_status",
        "is_binary",
        "kind",
        "message_id",
        "more",
        "query",
        "request_id",
        "route",
        "session",
        "stage",
        "started",
        "status",
        "time",
    )

    def __init__(self, session: Session, stage: Stage, kind: str, now: float) -> None:
        self.started = perf_counter()
        self.session = session
        self.stage = stage
        self.kind = kind
        self.time = now
        self.request_id = fresh_id()
        self.message_id = fresh_id() if kind == MESSAGE else ""
        self.route: Route | None = None
        self.body = b""
        self.is_binary = False
        self.headers: Mapping[str, str] = {}
        """Of the handshake; names in lower case."""
        self.query = ""
        self.more: dict[str, Any] = {}
        """What the request context has besides: why it was disconnected."""
        self.status = 200
        self.integration_status: int | None = None
        self.integration_millis: int | None = None
        self.error = self.integration_error = self.authorizer_error = ""

    @property
    def key(self) -> str:
        """The key of its route."""
        return self.route.key if self.route is not None else ""

    @property
    def arn(self) -> str:
        """The ARN of the route, as policies and functions' permissions have it."""
        session, place = self.session, self.session.place
        return f"arn:aws:execute-api:{place.region}:{place.account}:{session.api_id}/{session.stage}/{self.key}"

    def request_context(self) -> dict[str, Any]:
        """Return what a function is told of the event beside its body."""
        session = self.session
        identity: dict[str, Any] = {"sourceIp": session.peer}
        if session.user_agent:
            identity["userAgent"] = session.user_agent
        principal = session.principal
        if principal is not None:
            identity |= {
                "accessKey": principal.access_key,
                "accountId": principal.account,
                "caller": principal.user_id,
                "user": principal.user_id,
                "userArn": principal.arn,
            }
        context: dict[str, Any] = {
            "routeKey": self.key,
            "eventType": self.kind,
            "extendedRequestId": self.request_id,
            "requestTime": clf_time(self.time),
            "messageDirection": "IN",
            "stage": session.stage,
            "connectedAt": int(session.connected * 1000),
            "requestTimeEpoch": int(self.time * 1000),
            "identity": identity,
            "requestId": self.request_id,
            "domainName": session.domain,
            "connectionId": session.id,
            "apiId": session.api_id,
            **self.more,
        }
        if self.message_id:
            context["messageId"] = self.message_id
        if session.authorizer is not None:
            context["authorizer"] = {
                "principalId": session.principal_id,
                "integrationLatency": 0,
                **session.authorizer,
            }
        return context

    def function_event(self) -> dict[str, Any]:
        """Return the event that a function gets by a proxy integration."""
        event = self.request_part()
        event["requestContext"] = self.request_context()
        if self.kind == MESSAGE:
            event["body"] = self.text()
        event["isBase64Encoded"] = self.is_binary
        if self.stage.variables:
            event["stageVariables"] = self.stage.variables
        return event

    def authorizer_event(self) -> dict[str, Any]:
        """Return the event that an authorizer gets."""
        return {
            "type": "REQUEST",
            "methodArn": self.arn,
            **self.request_part(),
            "stageVariables": self.stage.variables,
            "requestContext": self.request_context(),
        }

    def request_part(self) -> dict[str, Any]:
        """Return the headers and the query of the handshake, or what stands for them at the end."""
        if self.kind == MESSAGE:
            return {}
        if self.kind == DISCONNECT:
            headers = {"Host": self.session.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
        else:
            headers = {_title(name): value for name, value in self.headers.items()}
        part: dict[str, Any] = {
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
        }
        if self.query:
            queries = self.queries()
            many: dict[str, list[str]] = {}
            for key, value in queries:
                many.setdefault(key, []).append(value)
            part["queryStringParameters"] = dict(queries)
            part["multiValueQueryStringParameters"] = many
        return part

    def text(self) -> str:
        """Return the message as events have it: what is binary as base64."""
        return b64encode(self.body).decode() if self.is_binary else self.body.decode()

    def queries(self) -> list[tuple[str, str]]:
        """The parameters of the handshake's query, decoded."""
        return parse_qsl(self.query, keep_blank_values=True, encoding="utf-8", errors="replace") if self.query else []

    def lookup(self, variable: str) -> str | None:
        """Return the value of a variable, such as `request.body.action` or `request.header.id`."""
        kind, _, rest = variable.partition(".")
        if kind == "context":
            return self.context(rest)
        if kind == "stageVariables":
            return self.stage.variables.get(rest)
        place, _, name = rest.partition(".")
        if kind != "request":
            return None
        if place == "header":
            return self.headers.get(name.lower())
        if place == "querystring":
            return next((value for key, value in self.queries() if key == name), None)
        if place == "body" and not self.is_binary:
            return expressions.in_json(self.body, name)
        return None

    def context(self, name: str) -> str | None:
        """Return the value of a `$context` variable."""
        getter = _CONTEXT.get(name)
        if getter is not None:
            value = getter(self)
        elif name.startswith("authorizer."):
            value = (self.session.authorizer or {}).get(name.removeprefix("authorizer."))
        else:
            value = self.more.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


_CONTEXT: dict[str, Callable[[Event], Any]] = {
    "accountId": lambda event: event.session.place.account,
    "apiId": lambda event: event.session.api_id,
    "authorizer.error": lambda event: event.authorizer_error,
    "authorizer.principalId": lambda event: event.session.principal_id,
    "connectedAt": lambda event: int(event.session.connected * 1000),
    "connectionId": lambda event: event.session.id,
    "domainName": lambda event: event.session.domain,
    "error.message": lambda event: event.error,
    "error.messageString": lambda event: f'"{event.error}"' if event.error else None,
    "eventType": lambda event: event.kind,
    "extendedRequestId": lambda event: event.request_id,
    "identity.accountId": lambda event: event.session.principal and event.session.principal.account,
    "identity.caller": lambda event: event.session.principal and event.session.principal.user_id,
    "identity.sourceIp": lambda event: event.session.peer,
    "identity.user": lambda event: event.session.principal and event.session.principal.user_id,
    "identity.userAgent": lambda event: event.session.user_agent,
    "identity.userArn": lambda event: event.session.principal and event.session.principal.arn,
    "integration.error": lambda event: event.integration_error,
    "integration.latency": lambda event: event.integration_millis,
    "integration.status": lambda event: event.integration_status,
    "integrationErrorMessage": lambda event: event.integration_error,
    "integrationLatency": lambda event: event.integration_millis,
    "integrationStatus": lambda event: event.integration_status,
    "messageDirection": lambda event: "IN",
    "messageId": lambda event: event.message_id,
    "requestId": lambda event: event.request_id,
    "requestTime": lambda event: clf_time(event.time),
    "requestTimeEpoch": lambda event: int(event.time * 1000),
    "routeKey": lambda event: event.key,
    "stage": lambda event: event.session.stage,
    "status": lambda event: event.status,
}
