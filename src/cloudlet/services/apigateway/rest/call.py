"""A request to a REST API under way: all that events, templates, logs and mappings tell of it.

Developer guide, "Variables for data transformations for API Gateway" and "Variables for access logging".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cloudlet.core.authorization.permissions import NOTHING, Permissions
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.context import TRACE_HEADER, Context
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway import arrivals, invocation_context, naming
from cloudlet.services.apigateway.clf import clf_time
from cloudlet.services.apigateway.documents import Place
from cloudlet.services.apigateway.domains import Mapped
from cloudlet.services.apigateway.rest.trace import Trace

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.compiled import Method, Stage


@lru_cache(4096)
def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


class Call:
    """One request, and what became of it so far."""

    __slots__ = (
        "api_key",
        "api_key_id",
        "authorizer",
        "block",
        "body",
        "domain",
        "error",
        "extended_id",
        "from_cache",
        "headers",
        "id",
        "integration_error",
        "integration_millis",
        "integration_request_id",
        "integration_status",
        "is_test",
        "mapped",
        "method",
        "path",
        "permissions",
        "place",
        "principal",
        "principal_id",
        "query",
        "resource",
        "response_override",
        "response_size",
        "segment",
        "segment_parent",
        "stage",
        "started",
        "status",
        "steps",
        "time",
        "trace",
        "usage_key",
        "variables",
        "verb",
        "visit",
        "warning",
    )

    def __init__(
        self, block: Block, place: Place, visit: DataPlaneRequest, stage: Stage, path: str, mapped: Mapped | None
    ) -> None:
        self.started = perf_counter()
        self.block = block
        self.place = place
        self.visit = visit
        self.stage = stage
        self.mapped = mapped
        self.id = uuid4()
        self.extended_id = arrivals.fresh_id()
        self.time = block.clock.now()
        """When it came in, in seconds since the epoch."""
        self.verb = visit.request.method
        self.path = path
        """Decoded, below the stage."""
        self.query = parse_qsl(visit.request.query, keep_blank_values=True, encoding="utf-8", errors="replace")
        """The parameters of the query, decoded."""
        self.headers: dict[str, str] = arrivals.headers(visit, self.time)
        self.domain = naming.domain_of(visit)
        self.body = b""
        self.resource = ""
        """The path of the resource that it is for."""
        self.method: Method | None = None
        self.variables: dict[str, str] = {}
        """Those of the resource's path."""
        self.principal: Principal | None = None
        self.permissions: Permissions = NOTHING
        """The permissions of the signer."""
        self.principal_id = ""
        self.authorizer: Mapping[str, Any] | None = None
        """What a Lambda authorizer has told."""
        self.steps: dict[str, Any] = {}
        """What became of the steps by which it was let in: variables of access logs."""
        self.api_key = self.api_key_id = ""
        self.usage_key = ""
        """The API key that an authorizer takes it for."""
        self.error: dict[str, Any] | None = None
        self.integration_error = self.integration_request_id = ""
        self.integration_status: int | None = None
        self.integration_millis: int | None = None
        self.response_override: dict[str, Any] = {"header": {}}
        self.from_cache: bool | None = None
        """Whether the stage's cache has answered; None where it was not asked."""
        self.warning = ""
        """What a header of the answer says about the cache."""
        self.segment = self.segment_parent = ""
        """The ids of its segment in X-Ray, and of that above it."""
        self.status = 0
        self.response_size = 0
        self.is_test = False
        """Whether TestInvokeMethod makes it."""
        self.trace = Trace(False, with_data=False, now=block.clock.now)

    def make_context(self) -> Context:
        """Return the call as policies see it."""
        visit, place = self.visit, self.place
        return invocation_context.make(
            self.block, place, visit, self.id, self.headers, self.principal, self.permissions
        )

    @property
    def api_id(self) -> str:
        return self.stage.api_id

    @property
    def whole_path(self) -> str:
        """The path with the stage in it, where it was in the request."""
        if self.mapped is not None:
            return f"/{self.mapped.key}{self.path}" if self.mapped.key else self.path
        return f"/{self.stage.name}{self.path}"

    @property
    def arn(self) -> str:
        """The ARN of the method that is called, as policies have it."""
        return self.api_arn(f"{self.stage.name}/{self.verb}{self.path}")

    @property
    def resource_arn(self) -> str:
        """The ARN of the resource's method, as functions' permissions have it."""
        return self.api_arn(f"{self.stage.name}/{self.verb}{self.resource}")

    def api_arn(self, rest: str) -> str:
        place = self.place
        return f"arn:aws:execute-api:{place.region}:{place.account}:{self.api_id}/{rest}"

    @property
    def trace_header(self) -> str | None:
        """The trace header, to be handed on."""
        header = self.headers.get(TRACE_HEADER)
        return header if header and header.isascii() and header.isprintable() else None

    @property
    def titled_headers(self) -> dict[str, str]:
        """The headers with the names that events and templates have: as the client wrote them, else `Like-This`."""
        written = self.visit.names()
        written.pop("host", None)
        return {
            written.get(name) or _title(name): value for name, value in self.headers.items() if name != "connection"
        }

    def header_values(self) -> dict[str, list[str]]:
        """Return all values of the headers, by the names that events have."""
        given: dict[str, list[str]] = {}
        for raw_name, raw_value in self.visit.raw_headers:
            given.setdefault(raw_name.decode("latin-1").lower(), []).append(raw_value.decode("latin-1").strip())
        came = self.visit.request.headers
        values: dict[str, list[str]] = {}
        for name, value in self.titled_headers.items():
            every = given.get(name.lower(), [])
            # What the gateway has made of a header is one value.
            values[name] = every if len(every) > 1 and came.get(name.lower()) == value else [value]
        return values

    @property
    def queries(self) -> dict[str, str]:
        """The parameters of the query; the last value of one that is repeated."""
        return dict(self.query)

    def query_values(self) -> dict[str, list[str]]:
        """All values of the parameters of the query."""
        many: dict[str, list[str]] = {}
        for key, value in self.query:
            many.setdefault(key, []).append(value)
        return many

    def identity(self) -> dict[str, Any]:
        """Return who makes it, as events have that."""
        principal = self.principal
        identity = {
            "accessKey": principal.access_key if principal else None,
            "accountId": principal.account if principal else None,
            "caller": principal.user_id if principal else None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": "test-invoke-source-ip" if self.is_test else self.visit.peer,
            "user": principal.user_id if principal else None,
            "userAgent": self.headers.get("user-agent"),
            "userArn": principal.arn if principal else None,
        }
        if self.api_key:
            identity |= {"apiKey": self.api_key, "apiKeyId": self.api_key_id}
        return identity

    def request_context(self) -> dict[str, Any]:
        """Return what events tell of it."""
        context: dict[str, Any] = {
            "accountId": self.place.account,
            "apiId": self.api_id,
            "deploymentId": self.stage.deployment_id,
            "domainName": self.domain,
            "domainPrefix": naming.prefix_of(self.domain),
            "extendedRequestId": self.extended_id,
            "httpMethod": self.verb,
            "identity": self.identity(),
            "path": self.whole_path,
            "protocol": "HTTP/1.1",
            "requestId": self.id,
            "requestTime": clf_time(self.time),
            "requestTimeEpoch": int(self.time * 1000),
            "resourceId": self.method.resource_id if self.method is not None else "",
            "resourcePath": self.resource,
            "stage": self.stage.name,
        }
        if self.authorizer is not None:
            context["authorizer"] = {
                "principalId": self.principal_id,
                **self.authorizer,
                "integrationLatency": self.steps.get("authorizer.integrationLatency", 0),
            }
        return context

    def context(self) -> dict[str, Any]:
        """Return `$context`, as templates and logs have it."""
        context = self.request_context()
        # What is not known of a caller is empty text.
        identity = {"apiKey": "", "apiKeyId": "", "cognitoAmr": "", "user": "", **context["identity"]}
        context["identity"] = {name: value or "" for name, value in identity.items()}
        context["awsEndpointRequestId"] = self.integration_request_id
        context["isCanaryRequest"] = self.stage.is_canary
        if self.authorizer is not None:
            # Other than in events all of it is text here.
            context["authorizer"] = {
                key: _text(value) for key, value in context["authorizer"].items() if value is not None
            }
        else:
            context["authorizer"] = {"principalId": ""}
        if self.error is not None:
            context["error"] = self.error
        return context

    def logged(self, name: str) -> str | None:
        """Return the value of a variable of access logs, or of a gateway response, below `$context`."""
        getter = _LOGGED.get(name)
        if getter is not None:
            found: Any = getter(self)
        elif name in self.steps:
            found = self.steps[name]
        else:
            found = self.context()
            for step in name.split("."):
                found = found.get(step) if isinstance(found, dict) else None
        return None if found is None or found == "" or isinstance(found, dict) else _text(found)

    def lookup(self, variable: str) -> str | None:
        """Return the value of a variable such as `context.requestId`, `stageVariables.x`, `request.header.x`."""
        kind, _, rest = variable.removeprefix("method.").partition(".")
        if kind == "context":
            return self.logged(rest)
        if kind == "stageVariables":
            return self.stage.variables.get(rest)
        if kind != "request":
            return None
        place, _, name = rest.partition(".")
        match place:
            case "header":
                return self.headers.get(name.lower())
            case "multivalueheader":
                value = self.headers.get(name.lower())
                return None if value is None else value
            case "querystring":
                return self.queries.get(name)
            case "multivaluequerystring":
                values = self.query_values().get(name)
                return ",".join(values) if values else None
            case "path":
                return self.variables.get(name)
        return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_LOGGED: dict[str, Callable[[Call], Any]] = {
    "customDomain.basePathMatched": lambda call: None if call.mapped is None else call.mapped.key or "(none)",
    "integration.error": lambda call: call.integration_error,
    "integration.integrationStatus": lambda call: call.integration_status,
    "integration.latency": lambda call: call.integration_millis,
    "integration.requestId": lambda call: call.integration_request_id,
    "integration.status": lambda call: call.integration_status,
    "integrationErrorMessage": lambda call: call.integration_error,
    "integrationLatency": lambda call: call.integration_millis,
    "integrationStatus": lambda call: call.integration_status,
    "responseOverride.status": lambda call: call.response_override.get("status"),
    "responseLatency": lambda call: int((perf_counter() - call.started) * 1000),
    "responseLength": lambda call: call.response_size,
    "status": lambda call: call.status,
    "xrayTraceId": lambda call: call.trace_header,
}
