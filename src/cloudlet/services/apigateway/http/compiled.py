"""An HTTP API's stages and routes, in the form in which requests need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudlet.core.aws.cors import Cors
from cloudlet.services.apigateway import aws_integrations, expressions, parameter_mapping
from cloudlet.services.apigateway.access_log import Format, format_of
from cloudlet.services.apigateway.authorizing import FunctionAuthorizer
from cloudlet.services.apigateway.deploying import Snapshot
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.http.table import Router
from cloudlet.services.apigateway.integration_check import function_of
from cloudlet.services.apigateway.jwt import JwtAuthorizer
from cloudlet.services.apigateway.parameter_mapping import Change
from cloudlet.services.apigateway.throttle import Bucket, bucket


@dataclass(slots=True)
class Integration:
    """What answers a route."""

    function: str
    """The ARN of a Lambda function; empty where it is none."""
    url: str
    """The URL of an HTTP endpoint, with variables of the path in braces; empty where it is none."""
    method: str
    call: aws_integrations.Call | None
    payload: str
    """The payload format version for functions."""
    seconds: float
    """After how long it is given up."""
    changes: tuple[Change, ...]
    response_changes: dict[int, tuple[Change, ...]]
    link: str
    """The id of the VPC link by which it is reached, if it is private."""
    role: str
    """Whose session calls the function; empty where the API itself does."""


@dataclass(slots=True)
class Route:
    """One route of a stage."""

    key: str
    path: str
    """The path in its key; $default where it has none."""
    authorization: str
    scopes: frozenset[str]
    jwt: JwtAuthorizer | None
    authorizer: FunctionAuthorizer | None
    integration: Integration | None
    bucket: Bucket | None
    is_detailed: bool
    """Whether its metrics are told by itself too."""


@dataclass(slots=True)
class Stage:
    """One stage of an API."""

    name: str
    variables: dict[str, str]
    table: Router[Route]
    cors: Cors | None
    log: Format | None


def stage_of(place: Place, api_id: str, document: Document, snapshot: Snapshot) -> Stage:
    """Return a stage that answers with what was deployed to it."""
    variables: dict[str, str] = document["StageVariables"]
    integrations = {part["IntegrationId"]: _integration(part, variables) for part in snapshot["Integration"]}
    authorizers = {part["AuthorizerId"]: part for part in snapshot["Authorizer"]}
    # Those of one stage share what they have been told, whichever route asks.
    jwts = {id: JwtAuthorizer(part) for id, part in authorizers.items() if part["AuthorizerType"] == "JWT"}
    functions = {
        id: FunctionAuthorizer(part, variables)
        for id, part in authorizers.items()
        if part["AuthorizerType"] == "REQUEST"
    }
    table: Router[Route] = Router()
    for part in snapshot["Route"]:
        key = part["RouteKey"]
        authorizer = part.get("AuthorizerId", "")
        route = Route(
            key,
            key.partition(" ")[2] or key,
            part["AuthorizationType"],
            frozenset(part.get("AuthorizationScopes") or ()),
            jwts.get(authorizer),
            functions.get(authorizer),
            integrations.get(part.get("Target", "").removeprefix("integrations/")),
            bucket(document, key),
            bool(_settings(document, key).get("DetailedMetricsEnabled")),
        )
        table.add(key, route)
    cors = snapshot["Api"].get("CorsConfiguration")
    return Stage(
        document["StageName"],
        variables,
        table,
        Cors(cors) if cors else None,
        format_of(place.account, document.get("AccessLogSettings"), f"{api_id}/{document['StageName']}"),
    )


def _settings(stage: Document, key: str) -> dict[str, Any]:
    return {**(stage.get("DefaultRouteSettings") or {}), **(stage["RouteSettings"].get(key) or {})}


def _integration(part: Document, variables: dict[str, str]) -> Integration:
    subtype = part.get("IntegrationSubtype")
    uri = expressions.with_stage_variables(part.get("IntegrationUri", ""), variables)
    is_function = part["IntegrationType"] == "AWS_PROXY" and subtype is None
    return Integration(
        function_of(uri) if is_function else "",
        uri if part["IntegrationType"] == "HTTP_PROXY" else "",
        part.get("IntegrationMethod", "ANY"),
        aws_integrations.compiled(part) if subtype else None,
        part["PayloadFormatVersion"],
        part["TimeoutInMillis"] / 1000,
        () if subtype else parameter_mapping.request(part.get("RequestParameters") or {}),
        parameter_mapping.responses(part.get("ResponseParameters") or {}),
        part["ConnectionId"] if part["ConnectionType"] == "VPC_LINK" else "",
        part.get("CredentialsArn", ""),
    )
