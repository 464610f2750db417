"""A request to an HTTP API under way: all that events, logs and mappings tell of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway import arrivals, expressions
from cloudlet.services.apigateway.clf import clf_time
from cloudlet.services.apigateway.documents import Place
from cloudlet.services.apigateway.domains import Mapped
from cloudlet.services.apigateway.naming import domain_of, prefix_of

if TYPE_CHECKING:
    from cloudlet.services.apigateway.http.compiled import Route, Stage


class Call:
    """One request, and what became of it so far."""

    __slots__ = (
        "api_id",
        "authorizer",
        "authorizer_error",
        "block",
        "body",
        "claims",
        "domain",
        "error",
        "error_type",
        "headers",
        "id",
        "integration_error",
        "integration_millis",
        "integration_request_id",
        "integration_status",
        "mapped",
        "method",
        "path",
        "place",
        "principal",
        "principal_id",
        "query",
        "response_size",
        "route",
        "scopes",
        "stage",
        "started",
        "status",
        "time",
        "variables",
        "visit",
    )

    def __init__(
        self,
        block: Block,
        place: Place,
        api_id: str,
        visit: DataPlaneRequest,
        stage: Stage,
        path: str,
        mapped: Mapped | None,
    ) -> None:
        self.started = perf_counter()
        self.block = block
        self.place = place
        self.api_id = api_id
        self.visit = visit
        self.stage = stage
        self.mapped = mapped
        self.id = arrivals.fresh_id()
        self.time = block.clock.now()
        """When it came in, in seconds since the epoch."""
        self.method = visit.request.method
        self.path = path
        """Decoded, below the stage."""
        self.query: str = visit.request.query
        self.headers: dict[str, str] = arrivals.headers(visit, self.time)
        self.domain = domain_of(visit)
        self.body = b""
        self.route: Route | None = None
        self.variables: dict[str, str] = {}
        """Those of the route's path."""
        self.principal: Principal | None = None
        self.claims: dict[str, Any] | None = None
        self.scopes: list[str] | None = None
        self.authorizer: Mapping[str, Any] | None = None
        """What a Lambda authorizer has told."""
        self.principal_id = ""
        self.authorizer_error = ""
        self.error = self.error_type = self.integration_error = self.integration_request_id = ""
        self.integration_status: int | None = None
        self.integration_millis: int | None = None
        self.status = 0
        self.response_size = 0

    @property
    def whole_path(self) -> str:
        """The path with the stage before it, also where a custom domain leads to the stage."""
        name = self.stage.name
        return self.path if name == "$default" else f"/{name}{self.path}"

    @property
    def trace(self) -> str | None:
        """The trace header, to be handed on."""
        header = self.headers.get(TRACE_HEADER)
        return header if header and header.isascii() and header.isprintable() else None

    @property
    def key(self) -> str:
        """The key of its route."""
        return self.route.key if self.route is not None else ""

    @property
    def arn(self) -> str:
        """The ARN of the method that is called, as policies and functions' permissions have it."""
        method, path = self.method, self.path
        if self.route is not None and self.route.key == "$default":
            return self.api_arn(f"{self.stage.name}/$default")
        return self.api_arn(f"{self.stage.name}/{method}{path}")

    @property
    def route_arn(self) -> str:
        """The ARN of the route, as functions' permissions have it: `*` for ANY method."""
        if self.route is None or self.route.key == "$default":
            return self.api_arn(f"{self.stage.name}/$default")
        method, _, path = self.route.key.partition(" ")
        return self.api_arn(f"{self.stage.name}/{'*' if method == 'ANY' else method}{path}")

    def api_arn(self, rest: str) -> str:
        place = self.place
        return f"arn:aws:execute-api:{place.region}:{place.account}:{self.api_id}/{rest}"

    def queries(self) -> list[tuple[str, str]]:
        """The parameters of the query, decoded."""
        return parse_qsl(self.query, keep_blank_values=True, encoding="utf-8", errors="replace") if self.query else []

    def clf_time(self) -> str:
        """When it came in, in the Common Log Format."""
        return clf_time(self.time)

    def lookup(self, variable: str) -> str | None:
        """Return the value of a variable of parameter mapping, such as `request.header.id`."""
        kind, _, rest = variable.partition(".")
        if kind == "context":
            return self.context(rest)
        if kind == "stageVariables":
            return self.stage.variables.get(rest)
        if kind != "request":
            return None
        place, _, name = rest.partition(".")
        match place:
            case "header":
                return self.headers.get(name.lower())
            case "querystring":
                values = [value for key, value in self.queries() if key == name]
                return ",".join(values) if values else None
            case "path":
                return self.variables.get(name) if name else self.path
            case "body":
                text = self.body[: expressions.LARGEST_BODY]
                return expressions.in_json(text, name) if name else text.decode("utf-8", "replace")
        return None

    def context(self, name: str) -> str | None:
        """Return the value of a `$context` variable. Developer guide, "Customize HTTP API access logs"."""
        getter = _CONTEXT.get(name)
        if getter is not None:
            value = getter(self)
        elif name.startswith("authorizer.claims."):
            value = (self.claims or {}).get(name.removeprefix("authorizer.claims."))
        elif name.startswith("authorizer."):
            value = (self.authorizer or {}).get(name.removeprefix("authorizer."))
        else:
            return None
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


_CONTEXT: dict[str, Callable[[Call], Any]] = {
    "accountId": lambda call: call.place.account,
    "apiId": lambda call: call.api_id,
    "authorizer.error": lambda call: call.authorizer_error,
    "authorizer.principalId": lambda call: call.principal_id,
    "awsEndpointRequestId": lambda call: call.integration_request_id,
    "customDomain.basePathMatched": lambda call: None if call.mapped is None else call.mapped.key or "(none)",
    "dataProcessed": lambda call: len(call.body) + call.response_size,
    "domainName": lambda call: call.domain,
    "domainPrefix": lambda call: prefix_of(call.domain),
    "error.message": lambda call: call.error,
    "error.messageString": lambda call: f'"{call.error}"' if call.error else None,
    "error.responseType": lambda call: call.error_type,
    "extendedRequestId": lambda call: call.id,
    "httpMethod": lambda call: call.method,
    "identity.accountId": lambda call: call.principal and call.principal.account,
    "identity.caller": lambda call: call.principal and call.principal.user_id,
    "identity.user": lambda call: call.principal and call.principal.user_id,
    "identity.userArn": lambda call: call.principal and call.principal.arn,
    "identity.sourceIp": lambda call: call.visit.peer,
    "identity.userAgent": lambda call: call.headers.get("user-agent"),
    "integration.error": lambda call: call.integration_error,
    "integration.integrationStatus": lambda call: call.integration_status,
    "integration.latency": lambda call: call.integration_millis,
    "integration.requestId": lambda call: call.integration_request_id,
    "integration.status": lambda call: call.integration_status,
    "integrationErrorMessage": lambda call: call.integration_error,
    "integrationLatency": lambda call: call.integration_millis,
    "integrationStatus": lambda call: call.integration_status,
    "path": lambda call: call.whole_path,
    "protocol": lambda call: "HTTP/1.1",
    "requestId": lambda call: call.id,
    "requestTime": lambda call: call.clf_time(),
    "requestTimeEpoch": lambda call: int(call.time * 1000),
    "responseLatency": lambda call: int((perf_counter() - call.started) * 1000),
    "responseLength": lambda call: call.response_size,
    "routeKey": lambda call: call.key,
    "stage": lambda call: call.stage.name,
    "status": lambda call: call.status,
}


def decoded(path: str) -> str:
    """Return a path as it is matched and shown."""
    return unquote(path, "utf-8", "replace") if "%" in path else path
