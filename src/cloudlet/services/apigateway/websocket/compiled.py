"""A WebSocket API's stages and routes, in the form in which messages need them."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.services.apigateway import expressions, service_requests
from cloudlet.services.apigateway.access_log import Format, format_of
from cloudlet.services.apigateway.authorizing import FunctionAuthorizer
from cloudlet.services.apigateway.deploying import Snapshot
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.expressions import Expression, Lookup
from cloudlet.services.apigateway.integration_check import TO_TEXT, function_of
from cloudlet.services.apigateway.rest.schemas import Schema
from cloudlet.services.apigateway.service_requests import Address
from cloudlet.services.apigateway.throttle import Bucket, bucket
from cloudlet.services.apigateway.websocket import mapping
from cloudlet.services.apigateway.websocket.mapping import Parameter, Response, Templates

_ANSWERS = "$default"
_ANY_MODEL = "$default"


@dataclass(slots=True)
class Integration:
    """What a route's events go to."""

    function: str
    """The ARN of a Lambda function; empty where it is none."""
    url: str
    """The URL of an HTTP endpoint; empty where it is none."""
    method: str
    seconds: float
    service: Address | None
    """What is asked of a service of AWS."""
    role: str
    is_proxy: bool
    templates: Templates
    passes: bool
    """Whether a body goes on as it is, where there is no template for it."""
    parameters: tuple[Parameter, ...]
    responses: tuple[Response, ...]
    is_private: bool
    is_text: bool
    """Whether answers that are no text become base64."""


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
    required: tuple[str, ...]
    """The parameters that a handshake has to have, such as `request.header.id`."""
    model: Expression | None
    """The key of the model that messages are checked by; None where none are."""
    models: dict[str, Schema]
    """By their keys."""

    def find_model(self, lookup: Lookup) -> Schema | None:
        """Return the model that a message is checked by; None where none is for it."""
        key = "" if self.model is None else self.model.value(lookup) or ""
        return self.models.get(key) or self.models.get(_ANY_MODEL)


@dataclass(slots=True)
class Stage:
    """One stage of an API."""

    name: str
    variables: dict[str, str]
    selection: Expression
    routes: dict[str, Route]
    log: Format | None


def stage_of(place: Place, api_id: str, document: Document, snapshot: Snapshot) -> Stage:
    """Return a stage that answers with what was deployed to it."""
    variables: dict[str, str] = document["StageVariables"]
    responses: dict[str, list[Response]] = {}
    for part in snapshot["IntegrationResponse"]:
        responses.setdefault(part["IntegrationId"], []).append(mapping.response(part))
    integrations = {
        part["IntegrationId"]: _integration(part, variables, tuple(responses.get(part["IntegrationId"], ())))
        for part in snapshot["Integration"]
    }
    authorizers = {part["AuthorizerId"]: FunctionAuthorizer(part, variables) for part in snapshot["Authorizer"]}
    schema_texts = {part["Name"]: part["Schema"] for part in snapshot["Model"]}
    two_way = {part["RouteId"] for part in snapshot["RouteResponse"]}
    routes = {
        part["RouteKey"]: Route(
            part["RouteKey"],
            part["AuthorizationType"],
            authorizers.get(part.get("AuthorizerId", "")),
            integrations.get(part.get("Target", "").removeprefix("integrations/")),
            part["RouteId"] in two_way and part.get("RouteResponseSelectionExpression") == _ANSWERS,
            bucket(document, part["RouteKey"]),
            tuple(
                name.removeprefix("route.")
                for name, constraints in (part.get("RequestParameters") or {}).items()
                if constraints.get("Required")
            ),
            expressions.compiled(part["ModelSelectionExpression"]) if part.get("ModelSelectionExpression") else None,
            {
                key: Schema(schema_texts[name], schema_texts)
                for key, name in (part.get("RequestModels") or {}).items()
                if name in schema_texts
            },
        )
        for part in snapshot["Route"]
    }
    return Stage(
        document["StageName"],
        variables,
        expressions.compiled(snapshot["Api"]["RouteSelectionExpression"]),
        routes,
        format_of(place.account, document.get("AccessLogSettings"), f"{api_id}/{document['StageName']}"),
    )


def _integration(part: Document, variables: dict[str, str], responses: tuple[Response, ...]) -> Integration:
    kind = part["IntegrationType"]
    uri = expressions.with_stage_variables(part.get("IntegrationUri", ""), variables)
    templates = mapping.templates(part.get("RequestTemplates"), part.get("TemplateSelectionExpression"))
    behavior = part.get("PassthroughBehavior", "WHEN_NO_MATCH")
    return Integration(
        function_of(uri) if kind == "AWS_PROXY" else "",
        uri if kind in ("HTTP", "HTTP_PROXY") else "",
        part.get("IntegrationMethod", "POST"),
        part["TimeoutInMillis"] / 1000,
        service_requests.address_of(uri) if kind == "AWS" else None,
        part.get("CredentialsArn", ""),
        kind.endswith("_PROXY"),
        templates,
        behavior == "WHEN_NO_MATCH" or (behavior == "WHEN_NO_TEMPLATES" and not templates.by_key),
        mapping.parameters(part.get("RequestParameters")),
        responses,
        part["ConnectionType"] == "VPC_LINK",
        part.get("ContentHandlingStrategy") == TO_TEXT,
    )
