"""A REST API's stage, in the form in which requests need it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cloudlet.services.apigateway import access_log, expressions
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.integration_check import function_of
from cloudlet.services.apigateway.rest import stages
from cloudlet.services.apigateway.rest.binary import MediaTypes
from cloudlet.services.apigateway.rest.caching import Cache
from cloudlet.services.apigateway.rest.deploying import Snapshot
from cloudlet.services.apigateway.rest.gateway_responses import GatewayResponses
from cloudlet.services.apigateway.rest.lambda_authorizers import Authorizer
from cloudlet.services.apigateway.rest.request_check import Check
from cloudlet.services.apigateway.rest.resource_policies import ApiPolicy
from cloudlet.services.apigateway.rest.table import Router
from cloudlet.services.apigateway.throttle import Bucket


@dataclass(slots=True)
class Response:
    """A response of an integration."""

    status: int
    pattern: str
    """What a status, or an error, has to match; empty for the default one."""
    parameters: dict[str, str]
    """Header (in lower case) → where its value is from."""
    templates: dict[str, str]
    handling: str
    is_declared: bool
    """Whether the method has a response of this status."""


@dataclass(slots=True)
class Integration:
    """What answers a method."""

    kind: str
    uri: str
    """With the values of stage variables in it."""
    verb: str
    role: str
    function: str
    """The ARN of the Lambda function that it calls; empty where it calls none."""
    parameters: dict[str, str]
    """Where a value goes, such as `path.id` → where it is from."""
    templates: dict[str, str]
    passthrough: str
    handling: str
    seconds: float
    responses: list[Response]
    cache_parameters: list[str]
    cache_namespace: str
    link: str
    """The id of the VPC link by which it is reached, if it is private."""


@dataclass(slots=True)
class Method:
    """A method of a resource."""

    name: str
    resource_id: str
    authorization: str
    authorizer: Authorizer | None
    needs_key: bool
    check: Check
    integration: Integration
    settings: dict[str, Any]
    bucket: Bucket | None
    caches: bool
    """Whether answers are kept in the stage's cache."""


class Resource:
    """A resource's methods, by name."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.methods: dict[str, Method] = {}

    def method(self, verb: str) -> Method | None:
        return self.methods.get(verb) or self.methods.get("ANY")


class Stage:
    """A stage, or its canary."""

    def __init__(self, account: str, region: str, stage: Document, snapshot: Snapshot, *, is_canary: bool) -> None:
        canary: dict[str, Any] = (stage.get("canarySettings") or {}) if is_canary else {}
        self.api_id: str = snapshot["api"]["id"]
        self.api_name: str = snapshot["api"]["name"]
        self.name: str = stage["stageName"]
        self.is_canary = is_canary
        self.deployment_id: str = canary.get("deploymentId") or stage["deploymentId"]
        self.variables: dict[str, str] = {
            **(stage.get("variables") or {}),
            **(canary.get("stageVariableOverrides") or {}),
        }
        self.key_source: str = snapshot["api"]["apiKeySource"]
        self.media_types = MediaTypes(snapshot["api"].get("binaryMediaTypes") or ())
        self.compressed_from: int | None = snapshot["api"].get("minimumCompressionSize")
        self.responses = GatewayResponses(snapshot["responses"])
        self.policy = ApiPolicy(account, region, self.api_id, snapshot["api"].get("policy"))
        self.is_traced = bool(stage.get("tracingEnabled"))
        self.client_certificate: str = stage.get("clientCertificateId") or ""
        """The id of the certificate that endpoints are shown; empty where there is none."""
        self.cache = Cache(account) if stage.get("cacheClusterEnabled") else None
        logs = stage.get("accessLogSettings")
        settings = {"DestinationArn": logs["destinationArn"], "Format": logs["format"]} if logs else None
        self.log = access_log.format_of(account, settings, f"{self.api_id}/{self.name}")
        self.table: Router[Resource] = Router()
        self.by_id: dict[str, Resource] = {}
        self._add_methods(stage, snapshot)

    def _add_methods(self, stage: Document, snapshot: Snapshot) -> None:
        models = {each["name"]: each["schema"] for each in snapshot["models"]}
        validators = {each["id"]: each for each in snapshot["validators"]}
        # The methods of a stage share what an authorizer has said.
        authorizers = {each["id"]: Authorizer(each, self.variables) for each in snapshot["authorizers"]}
        paths = {each["id"]: each["path"] for each in snapshot["resources"]}
        for resource_id, method in snapshot["methods"]:
            path = paths[resource_id]
            resource = self.by_id.get(resource_id)
            if resource is None:
                resource = self.by_id[resource_id] = Resource(path)
                self.table.add(path, resource)
            name = method["httpMethod"]
            settings = stages.settings_of(stage, path, name)
            limited = settings.get("throttlingRateLimit") is not None
            bucket = Bucket(settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) if limited else None
            resource.methods[name] = Method(
                name,
                resource_id,
                method["authorizationType"],
                authorizers.get(method.get("authorizerId", "")),
                bool(method.get("apiKeyRequired")),
                Check(method, validators.get(method.get("requestValidatorId", "")), models),
                _integration(
                    method["methodIntegration"], self.variables, resource_id, method.get("methodResponses") or {}
                ),
                settings,
                bucket,
                # What is said of all methods is about GET only.
                self.cache is not None
                and bool(settings.get("cachingEnabled"))
                and (name == "GET" or stages.has_own_settings(stage, path, name)),
            )


def _integration(part: Document, variables: dict[str, str], resource_id: str, declared: Collection[str]) -> Integration:
    uri = expressions.with_stage_variables(part.get("uri") or "", variables)
    function = function_of(uri) if part["type"] in ("AWS", "AWS_PROXY") and ":lambda:path/" in uri else ""
    responses = [
        Response(
            int(each["statusCode"]),
            each.get("selectionPattern") or "",
            {
                name.removeprefix("method.response.header.").lower(): source
                for name, source in (each.get("responseParameters") or {}).items()
            },
            each.get("responseTemplates") or {},
            each.get("contentHandling") or "",
            each["statusCode"] in declared,
        )
        for each in (part.get("integrationResponses") or {}).values()
    ]
    return Integration(
        part["type"],
        uri,
        part.get("httpMethod") or "POST",
        expressions.with_stage_variables(part.get("credentials") or "", variables),
        function,
        {
            name.removeprefix("integration.request."): source
            for name, source in (part.get("requestParameters") or {}).items()
        },
        part.get("requestTemplates") or {},
        part.get("passthroughBehavior") or "WHEN_NO_MATCH",
        part.get("contentHandling") or "",
        part["timeoutInMillis"] / 1000,
        responses,
        part.get("cacheKeyParameters") or [],
        part.get("cacheNamespace") or resource_id,
        expressions.with_stage_variables(part["connectionId"], variables)
        if part.get("connectionType") == "VPC_LINK"
        else "",
    )
