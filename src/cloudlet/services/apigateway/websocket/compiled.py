"""A WebSocket API's stages and routes, in the form in which messages need them."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.services.apigateway import expressions
from cloudlet.services.apigateway.access_log import Format
from cloudlet.services.apigateway.authorizing import FunctionAuthorizer
from cloudlet.services.apigateway.deploying import Snapshot
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.expressions import Expression
from cloudlet.services.apigateway.integration_check import function_of
from cloudlet.services.apigateway.throttle import Bucket, bucket

_ANSWERS = "$default"


@dataclass(slots=True)
class Integration:
    """What a route's events go to."""

    function: str
    """The ARN of a Lambda function; empty where it is none."""
    url: str
    """The URL of an HTTP endpoint; empty where it is none."""
    method: str
    seconds: float
    is_proxy: bool
    answers: bool
    """Whether a response of it, that is not a proxy's, goes anywhere: there is an integration response."""
    is_private: bool


@dataclass(slots=True)
class Route:
    """One route of a stage."""

    key: str
    authorization: str
    authorizer: FunctionAuthorizer | None
    integration: Integration | None
    answers: bool
    """Whether clients get what the integration answers: the route has a route response."""
    bucket: Bucket | None


@dataclass(slots=True)
class Stage:
    """One stage of an API."""

    name: str
    variables: dict[str, str]
    selection: Expression
    routes: dict[str, Route]
    log: Format | None


def stage_of(api_id: str, document: Document, snapshot: Snapshot) -> Stage:
    """Return a stage that answers with what was deployed to it."""
    variables: dict[str, str] = document["StageVariables"]
    answering = {part["IntegrationId"] for part in snapshot["IntegrationResponse"]}
    integrations = {
        part["IntegrationId"]: _integration(part, variables, part["IntegrationId"] in answering)
        for part in snapshot["Integration"]
    }
    authorizers = {part["AuthorizerId"]: FunctionAuthorizer(part, variables) for part in snapshot["Authorizer"]}
    two_way = {part["RouteId"] for part in snapshot["RouteResponse"]}
    routes = {
        part["RouteKey"]: Route(
            part["RouteKey"],
            part["AuthorizationType"],
            authorizers.get(part.get("AuthorizerId", "")),
            integrations.get(part.get("Target", "").removeprefix("integrations/")),
            part["RouteId"] in two_way and part.get("RouteResponseSelectionExpression") == _ANSWERS,
            bucket(document, part["RouteKey"]),
        )
        for part in snapshot["Route"]
    }
    settings = document.get("AccessLogSettings")
    return Stage(
        document["StageName"],
        variables,
        expressions.compiled(snapshot["Api"]["RouteSelectionExpression"]),
        routes,
        Format(settings, f"{api_id}/{document['StageName']}") if settings else None,
    )


def _integration(part: Document, variables: dict[str, str], answers: bool) -> Integration:
    kind = part["IntegrationType"]
    uri = expressions.with_stage_variables(part.get("IntegrationUri", ""), variables)
    return Integration(
        function_of(uri) if kind == "AWS_PROXY" else "",
        uri if kind in ("HTTP", "HTTP_PROXY") else "",
        part.get("IntegrationMethod", "POST"),
        part["TimeoutInMillis"] / 1000,
        kind.endswith("_PROXY"),
        answers,
        part["ConnectionType"] == "VPC_LINK",
    )
