"""The resource types of Amazon API Gateway: REST, HTTP and WebSocket APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import (
    FORMER,
    Call,
    Items,
    Name,
    Part,
    Properties,
    ResourceType,
    find_path,
    to_text,
)

# REST APIs


def _escape(name: str) -> str:
    """Return a name as a JSON pointer has it."""
    return name.replace("~", "~0").replace("/", "~1")


def _get_member_name(name: str) -> str:
    """Return the name of a property as API Gateway's paths have it."""
    return name[0].lower() + name[1:]


_REMOVABLE: Final = (
    "/authorizerCredentials",
    "/clientCertificateId",
    "/cloudwatchRoleArn",
    "/documentationVersion",
    "/identitySource",
    "/identityValidationExpression",
    "/quota",
    "/throttle",
)
"""The paths of what is removed; all else goes by an empty value. What has to be there stays as it is."""
_REQUIRED: Final = ("/deploymentId", "/name", "/restapiId", "/schema")


def _patch(**paths: str) -> Callable[[Properties], list[dict[str, str]]]:
    """Return a source of patches that set properties, or take away those that are gone."""

    def make(properties: Properties) -> list[dict[str, str]]:
        former = properties.get(FORMER) or {}
        gone = [path for name, path in paths.items() if name in former and name not in properties]
        return [
            *(_remove(path) for path in gone if path not in _REQUIRED),
            *(
                {"op": "replace", "path": path, "value": to_text(properties[name])}
                for name, path in paths.items()
                if name in properties
            ),
        ]

    return make


def _remove(path: str) -> dict[str, str]:
    return {"op": "remove", "path": path} if path in _REMOVABLE else {"op": "replace", "path": path, "value": ""}


def _patch_map(
    name: str, path: str, rename: Callable[[str], str] = _escape
) -> Callable[[Properties], list[dict[str, str]]]:
    """Return a source of patches that set entries of a map, and remove others.

    `rename` gives the last part of an entry's path.
    """

    def make(properties: Properties) -> list[dict[str, str]]:
        entries = properties.get(name) or {}
        gone = [key for key in (properties.get(FORMER) or {}).get(name) or {} if key not in entries]
        if gone and not entries and path in _REMOVABLE:
            return [_remove(path)]
        return [
            *({"op": "remove", "path": f"{path}/{rename(key)}"} for key in gone),
            *(
                {"op": "replace", "path": f"{path}/{rename(key)}", "value": to_text(value)}
                for key, value in entries.items()
            ),
        ]

    return make


def _patch_stage(action: str) -> Callable[[Properties], list[dict[str, str]]]:
    """Return a source of the patch operation on a stage of a usage plan."""
    return lambda properties: [
        {"op": action, "path": "/apiStages", "value": f"{properties['Item']['ApiId']}:{properties['Item']['Stage']}"}
    ]


def _join_patches(
    *makers: Callable[[Properties], list[dict[str, str]]],
) -> Callable[[Properties], list[dict[str, str]]]:
    return lambda properties: [one for make in makers for one in make(properties)]


_METHOD_SETTINGS: Final = {
    "MetricsEnabled": "metrics/enabled",
    "LoggingLevel": "logging/loglevel",
    "DataTraceEnabled": "logging/dataTrace",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
    "CachingEnabled": "caching/enabled",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CacheDataEncrypted": "caching/dataEncrypted",
}


def _list_method_settings(properties: Properties) -> dict[str, dict[str, str]]:
    """Return the settings of methods by the methods' paths, and the paths of each."""
    found: dict[str, dict[str, str]] = {}
    for setting in properties.get("MethodSettings") or ():
        resource = setting.get("ResourcePath", "/*")
        method = f"/{'*' if resource == '/*' else _escape(resource)}/{setting.get('HttpMethod', '*')}"
        values = {place: to_text(setting[name]) for name, place in _METHOD_SETTINGS.items() if name in setting}
        found[method] = {**found.get(method, {}), **values}
    return found


def _patch_method_settings(properties: Properties) -> list[dict[str, str]]:
    wanted, former = (_list_method_settings(each) for each in (properties, properties.get(FORMER) or {}))
    patches = []
    for method, settings in former.items():
        if method not in wanted:
            patches += _remove_method(method)
        else:
            gone = [place for place in settings if place not in wanted[method]]
            patches += [{"op": "remove", "path": f"{method}/{place}"} for place in gone]
    for method, settings in wanted.items():
        patches += [{"op": "replace", "path": f"{method}/{each}", "value": value} for each, value in settings.items()]
    return patches


def _remove_method_settings(properties: Properties) -> list[dict[str, str]]:
    return [patch for method in _list_method_settings(properties) for patch in _remove_method(method)]


def _remove_method(method: str) -> list[dict[str, str]]:
    """Return the patches that remove a method's settings, whether it has some or not.

    What is not there cannot be removed: a call that is made again after a crash would fail.
    """
    return [{"op": "remove", "path": f"{method}/metrics/enabled"}, {"op": "remove", "path": method}]


def _patch_access_log(properties: Properties) -> list[dict[str, str]]:
    given = properties.get("AccessLogSetting") or {}
    return [
        {"op": "replace", "path": f"/accessLogSettings/{member}", "value": given[name]}
        for name, member in (("DestinationArn", "destinationArn"), ("Format", "format"))
        if name in given
    ]


def _remove_access_log(properties: Properties) -> list[dict[str, str]]:
    return [{"op": "remove", "path": "/accessLogSettings"}]


_DEFINED: Final = {
    "ApiKeySourceType": "x-amazon-apigateway-api-key-source",
    "BinaryMediaTypes": "x-amazon-apigateway-binary-media-types",
    "MinimumCompressionSize": "x-amazon-apigateway-minimum-compression-size",
    "Policy": "x-amazon-apigateway-policy",
}


def _make_body(properties: Properties) -> bytes:
    """Return the definition of a REST API, with what its properties say."""
    body = properties["Body"]
    if isinstance(body, Mapping):
        info = {"title": properties.get("Name"), "description": properties.get("Description")}
        own = {member: properties.get(name) for name, member in _DEFINED.items()}
        body = {
            **body,
            "info": {**(body.get("info") or {}), **{name: value for name, value in info.items() if value is not None}},
            **{name: value for name, value in own.items() if value is not None},
        }
        if "DisableExecuteApiEndpoint" in properties:
            name = "x-amazon-apigateway-endpoint-configuration"
            disabled = {"disableExecuteApiEndpoint": properties["DisableExecuteApiEndpoint"]}
            body[name] = {**(body.get(name) or {}), **disabled}
    return to_text(body).encode()


def _make_import_parameters(properties: Properties) -> dict[str, str]:
    given = dict(properties.get("Parameters") or {})
    kinds = find_path(properties, "EndpointConfiguration.Types")
    return {**given, **({"endpointConfigurationTypes": kinds[0]} if kinds else {})}


def _make_arn_of(path: str) -> Callable[[Properties], str]:
    """Return what makes the ARN of something of API Gateway, for tags."""
    return lambda properties: ("arn:{partition}:apigateway:{region}::" + path).format_map(properties)


def _list_implicit_stage(properties: Properties) -> list[str]:
    return [properties["StageName"]] if "StageName" in properties else []


def _list_integration_responses(properties: Properties) -> Any:
    return find_path(properties, "Integration.IntegrationResponses")


def _get_status(item: Mapping[str, Any]) -> str:
    return str(item["StatusCode"])


_INTEGRATION: Final = {
    "httpMethod": "HttpMethod",
    **{
        member: f"Integration.{name}"
        for member, name in (
            ("type", "Type"),
            ("integrationHttpMethod", "IntegrationHttpMethod"),
            ("uri", "Uri"),
            ("connectionType", "ConnectionType"),
            ("connectionId", "ConnectionId"),
            ("credentials", "Credentials"),
            ("requestParameters", "RequestParameters"),
            ("requestTemplates", "RequestTemplates"),
            ("passthroughBehavior", "PassthroughBehavior"),
            ("cacheNamespace", "CacheNamespace"),
            ("cacheKeyParameters", "CacheKeyParameters"),
            ("contentHandling", "ContentHandling"),
            ("timeoutInMillis", "TimeoutInMillis"),
            ("responseTransferMode", "ResponseTransferMode"),
            ("integrationTarget", "IntegrationTarget"),
        )
    },
}
_RESPONSE: Final = {"responseParameters": "Item.ResponseParameters", "statusCode": "Item.StatusCode"}
_STAGE_PATHS: Final = {
    "DeploymentId": "/deploymentId",
    "Description": "/description",
    "CacheClusterEnabled": "/cacheClusterEnabled",
    "CacheClusterSize": "/cacheClusterSize",
    "ClientCertificateId": "/clientCertificateId",
    "DocumentationVersion": "/documentationVersion",
    "TracingEnabled": "/tracingEnabled",
}


def _make_patch_call(operation: str, maker: Callable[[Properties], list[dict[str, str]]], **members: str) -> Call:
    return Call(operation, {"patchOperations": maker, **members})


_REST_TYPES: Final = (
    ResourceType(
        "AWS::ApiGateway::RestApi",
        "apigateway",
        create=Call("CreateRestApi", {"apiKeySource": "ApiKeySourceType"}),
        alternatives={
            "Body": Call("ImportRestApi", {"body": _make_body, "parameters": _make_import_parameters}),
        },
        updates=(
            _make_patch_call(
                "UpdateRestApi",
                _patch(
                    Name="/name",
                    Description="/description",
                    ApiKeySourceType="/apiKeySource",
                    DisableExecuteApiEndpoint="/disableExecuteApiEndpoint",
                    MinimumCompressionSize="/minimumCompressionSize",
                    Policy="/policy",
                ),
            ),
            Call(
                "PutRestApi",
                {
                    "body": lambda properties: _make_body(properties) if "Body" in properties else None,
                    "mode": lambda properties: properties.get("Mode", "overwrite") if "Body" in properties else None,
                    "failOnWarnings": lambda properties: (
                        properties.get("FailOnWarnings") if "Body" in properties else None
                    ),
                    "parameters": None,
                },
            ),
        ),
        delete=Call("DeleteRestApi"),
        attributes={"RestApiId": "id", "RootResourceId": "rootResourceId"},
        read=Call("GetRestApi"),
        tag=Call("TagResource", {"resourceArn": _make_arn_of("/restapis/{RestApiId}")}),
        unlisted=("Name", "Mode", "EndpointConfiguration", "FailOnWarnings"),
    ),
    ResourceType(
        "AWS::ApiGateway::Resource",
        "apigateway",
        create=Call("CreateResource"),
        delete=Call("DeleteResource"),
        attributes={"ResourceId": "id"},
        ref="ResourceId",
    ),
    ResourceType(
        "AWS::ApiGateway::Method",
        "apigateway",
        create=Call("PutMethod", absent={"authorizationType": "NONE"}),
        parts=(
            Part("Integration", Call("PutIntegration", _INTEGRATION), Call("DeleteIntegration")),
            Items(
                "MethodResponses",
                Call("PutMethodResponse", {**_RESPONSE, "responseModels": "Item.ResponseModels"}),
                Call("DeleteMethodResponse", {"statusCode": "Item.StatusCode"}),
                key=_get_status,
            ),
            Items(
                _list_integration_responses,
                Call(
                    "PutIntegrationResponse",
                    {
                        **_RESPONSE,
                        "selectionPattern": "Item.SelectionPattern",
                        "responseTemplates": "Item.ResponseTemplates",
                        "contentHandling": "Item.ContentHandling",
                    },
                ),
                Call("DeleteIntegrationResponse", {"statusCode": "Item.StatusCode"}),
                key=_get_status,
            ),
        ),
        delete=Call("DeleteMethod"),
        is_recreated=True,
    ),
    ResourceType(
        "AWS::ApiGateway::Deployment",
        "apigateway",
        create=Call(
            "CreateDeployment",
            {
                "stageDescription": "StageDescription.Description",
                "variables": "StageDescription.Variables",
                "tracingEnabled": "StageDescription.TracingEnabled",
                "cacheClusterEnabled": "StageDescription.CacheClusterEnabled",
                "cacheClusterSize": "StageDescription.CacheClusterSize",
                "canarySettings": "DeploymentCanarySettings",
            },
        ),
        updates=(_make_patch_call("UpdateDeployment", _patch(Description="/description")),),
        parts=(
            # The stage that a deployment makes goes with it.
            Items(
                _list_implicit_stage,
                Call("GetStage", {"stageName": "Item"}),
                Call("DeleteStage", {"stageName": "Item"}),
                is_made=True,
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteDeployment"),
        attributes={"DeploymentId": "id"},
        ref="DeploymentId",
    ),
    ResourceType(
        "AWS::ApiGateway::Stage",
        "apigateway",
        create=Call("CreateStage", {"canarySettings": "CanarySetting"}),
        updates=(
            _make_patch_call(
                "UpdateStage", _join_patches(_patch(**_STAGE_PATHS), _patch_map("Variables", "/variables"))
            ),
        ),
        parts=(
            Part(
                "MethodSettings",
                _make_patch_call("UpdateStage", _patch_method_settings),
                _make_patch_call("UpdateStage", _remove_method_settings),
            ),
            Part(
                "AccessLogSetting",
                _make_patch_call("UpdateStage", _patch_access_log),
                _make_patch_call("UpdateStage", _remove_access_log),
            ),
            Part(
                "ClientCertificateId",
                _make_patch_call("UpdateStage", _patch(ClientCertificateId="/clientCertificateId")),
            ),
        ),
        delete=Call("DeleteStage"),
        ref="StageName",
        tag=Call("TagResource", {"resourceArn": _make_arn_of("/restapis/{RestApiId}/stages/{StageName}")}),
    ),
    ResourceType(
        "AWS::ApiGateway::Account",
        "apigateway",
        parts=(
            Part(
                "CloudWatchRoleArn", _make_patch_call("UpdateAccount", _patch(CloudWatchRoleArn="/cloudwatchRoleArn"))
            ),
        ),
    ),
    ResourceType(
        "AWS::ApiGateway::Authorizer",
        "apigateway",
        create=Call("CreateAuthorizer"),
        updates=(
            _make_patch_call(
                "UpdateAuthorizer",
                _patch(
                    Name="/name",
                    AuthorizerUri="/authorizerUri",
                    AuthorizerCredentials="/authorizerCredentials",
                    AuthorizerResultTtlInSeconds="/authorizerResultTtlInSeconds",
                    IdentitySource="/identitySource",
                    IdentityValidationExpression="/identityValidationExpression",
                ),
            ),
        ),
        delete=Call("DeleteAuthorizer"),
        attributes={"AuthorizerId": "id"},
        ref="AuthorizerId",
    ),
    ResourceType(
        "AWS::ApiGateway::Model",
        "apigateway",
        create=Call("CreateModel", absent={"contentType": "application/json"}),
        updates=(
            _make_patch_call("UpdateModel", _patch(Description="/description", Schema="/schema"), modelName="Name"),
        ),
        delete=Call("DeleteModel", {"modelName": "Name"}),
        named=Name("Name", 128, is_alphanumeric=True),
        ref="Name",
    ),
    ResourceType(
        "AWS::ApiGateway::RequestValidator",
        "apigateway",
        create=Call("CreateRequestValidator"),
        updates=(
            _make_patch_call(
                "UpdateRequestValidator",
                _patch(
                    ValidateRequestBody="/validateRequestBody", ValidateRequestParameters="/validateRequestParameters"
                ),
            ),
        ),
        delete=Call("DeleteRequestValidator"),
        attributes={"RequestValidatorId": "id"},
        ref="RequestValidatorId",
    ),
    ResourceType(
        "AWS::ApiGateway::DocumentationPart",
        "apigateway",
        create=Call("CreateDocumentationPart"),
        updates=(_make_patch_call("UpdateDocumentationPart", _patch(Properties="/properties")),),
        delete=Call("DeleteDocumentationPart"),
        attributes={"DocumentationPartId": "id"},
        ref="DocumentationPartId",
    ),
    ResourceType(
        "AWS::ApiGateway::DocumentationVersion",
        "apigateway",
        create=Call("CreateDocumentationVersion"),
        updates=(_make_patch_call("UpdateDocumentationVersion", _patch(Description="/description")),),
        delete=Call("DeleteDocumentationVersion"),
        ref="DocumentationVersion",
    ),
    ResourceType(
        "AWS::ApiGateway::GatewayResponse",
        "apigateway",
        create=Call("PutGatewayResponse"),
        updates=(Call("PutGatewayResponse"),),
        delete=Call("DeleteGatewayResponse"),
        attributes={"Id": "{generated_name}"},
    ),
    ResourceType(
        "AWS::ApiGateway::ApiKey",
        "apigateway",
        create=Call("CreateApiKey"),
        updates=(
            _make_patch_call(
                "UpdateApiKey",
                _patch(Description="/description", Enabled="/enabled", CustomerId="/customerId"),
                apiKey="APIKeyId",
            ),
        ),
        delete=Call("DeleteApiKey", {"apiKey": "APIKeyId"}),
        attributes={"APIKeyId": "id"},
        tag=Call("TagResource", {"resourceArn": _make_arn_of("/apikeys/{APIKeyId}")}),
        unlisted=("GenerateDistinctId",),
    ),
    ResourceType(
        "AWS::ApiGateway::UsagePlan",
        "apigateway",
        create=Call(
            "CreateUsagePlan",
            {"name": lambda properties: properties.get("UsagePlanName") or properties["generated_name"]},
        ),
        updates=(
            _make_patch_call(
                "UpdateUsagePlan",
                _join_patches(
                    _patch(UsagePlanName="/name", Description="/description"),
                    _patch_map("Throttle", "/throttle", _get_member_name),
                    _patch_map("Quota", "/quota", _get_member_name),
                ),
                usagePlanId="Id",
            ),
        ),
        parts=(
            # A plan with stages cannot be deleted.
            Items(
                "ApiStages",
                _make_patch_call("UpdateUsagePlan", _patch_stage("add"), usagePlanId="Id"),
                _make_patch_call("UpdateUsagePlan", _patch_stage("remove"), usagePlanId="Id"),
                is_made=True,
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteUsagePlan", {"usagePlanId": "Id"}),
        attributes={"Id": "id"},
        tag=Call("TagResource", {"resourceArn": _make_arn_of("/usageplans/{Id}")}),
    ),
    ResourceType(
        "AWS::ApiGateway::UsagePlanKey",
        "apigateway",
        create=Call("CreateUsagePlanKey"),
        delete=Call("DeleteUsagePlanKey"),
        attributes={"Id": "{KeyId}:{UsagePlanId}"},
    ),
    ResourceType(
        "AWS::ApiGateway::DomainName",
        "apigateway",
        create=Call("CreateDomainName"),
        read=Call("GetDomainName"),
        delete=Call("DeleteDomainName"),
        list=Call("GetDomainNames", {"resourceOwner": None}),
    ),
    ResourceType(
        "AWS::ApiGateway::BasePathMapping",
        "apigateway",
        create=Call("CreateBasePathMapping"),
        updates=(
            _make_patch_call(
                "UpdateBasePathMapping",
                _patch(RestApiId="/restapiId", Stage="/stage"),
                basePath="BasePath",
            ),
        ),
        delete=Call("DeleteBasePathMapping", {"basePath": lambda properties: properties.get("BasePath") or "(none)"}),
    ),
    ResourceType(
        "AWS::ApiGateway::ClientCertificate",
        "apigateway",
        create=Call("GenerateClientCertificate"),
        updates=(_make_patch_call("UpdateClientCertificate", _patch(Description="/description")),),
        delete=Call("DeleteClientCertificate"),
    ),
)

# HTTP and WebSocket APIs


def _make_response_parameters(properties: Properties) -> dict[str, dict[str, str]] | None:
    given, former = (each.get("ResponseParameters") or {} for each in (properties, properties.get(FORMER) or {}))
    if not given and not former:
        return None
    return {
        **{status: {} for status in former if status not in given},
        **{
            status: {one["Destination"]: one["Source"] for one in value.get("ResponseParameters", ())}
            for status, value in given.items()
        },
    }


def _take(name: str, empty: Any) -> Callable[[Properties], Any]:
    """Return a source of a property that is empty where it is gone.

    Updates leave alone what they do not have.
    """

    def take(properties: Properties) -> Any:
        is_gone = name in (properties.get(FORMER) or {}) and name not in properties
        return empty if is_gone else properties.get(name)

    return take


def _take_map(name: str, empty: Any = "") -> Callable[[Properties], Any]:
    """Return a source of a map, in which entries that are gone are empty.

    Updates merge maps.
    """

    def take(properties: Properties) -> Any:
        former, given = (properties.get(FORMER) or {}).get(name), properties.get(name)
        if not isinstance(former, Mapping):
            return given
        return {**dict.fromkeys((key for key in former if key not in (given or {})), empty), **(given or {})}

    return take


def _take_all(*texts: str, maps: tuple[str, ...] = (), **others: Any) -> dict[str, Any]:
    """Return the sources of properties that can be taken away.

    They are texts, maps of texts, and others with the values that they then have.
    """
    found = {name: _take(name, empty) for name, empty in {**dict.fromkeys(texts, ""), **others}.items()}
    return {**found, **{name: _take_map(name) for name in maps}}


def _list_single(name: str) -> Callable[[Properties], list[Any]]:
    """Return a source of a list with a property, if it is there.

    An operation of its own takes it away.
    """
    return lambda properties: [properties[name]] if properties.get(name) else []


def _make_part_of_api(name: str, members: Mapping[str, Any] | None = None, *, ref: str = "") -> ResourceType:
    """Return the type of a part of an API: all have their operations named alike."""
    members = members or {}
    return ResourceType(
        f"AWS::ApiGatewayV2::{name}",
        "apigatewayv2",
        create=Call(f"Create{name}", members),
        updates=(Call(f"Update{name}", members),),
        delete=Call(f"Delete{name}"),
        ref=ref or f"{name}Id",
    )


_HTTP_TYPES: Final = (
    ResourceType(
        "AWS::ApiGatewayV2::Api",
        "apigatewayv2",
        create=Call("CreateApi"),
        alternatives={"Body": Call("ImportApi", {"Basepath": "BasePath"})},
        read=Call("GetApi"),
        updates=(
            Call("UpdateApi", _take_all("Description", "Version", DisableExecuteApiEndpoint=False)),
            Call(
                "ReimportApi",
                {
                    "Body": "Body",
                    "Basepath": lambda properties: properties.get("BasePath") if "Body" in properties else None,
                    "FailOnWarnings": lambda properties: (
                        properties.get("FailOnWarnings") if "Body" in properties else None
                    ),
                },
            ),
        ),
        parts=(
            Items(
                _list_single("CorsConfiguration"),
                Call("UpdateApi"),
                Call("DeleteCorsConfiguration"),
                key=lambda item: "",
                is_made=True,
            ),
        ),
        delete=Call("DeleteApi"),
        tag=Call("TagResource", {"ResourceArn": _make_arn_of("/apis/{ApiId}")}),
        attributes={"ExecuteApiArn": "arn:{partition}:execute-api:{region}:{account}:{ApiId}"},
        list=Call("GetApis"),
    ),
    _make_part_of_api(
        "Route",
        _take_all(
            "AuthorizerId",
            "ModelSelectionExpression",
            "OperationName",
            "RouteResponseSelectionExpression",
            "Target",
            ApiKeyRequired=False,
            AuthorizationScopes=[],
            AuthorizationType="NONE",
        ),
    ),
    _make_part_of_api(
        "Integration",
        {
            **_take_all(
                "ConnectionId",
                "ContentHandlingStrategy",
                "CredentialsArn",
                "Description",
                "PassthroughBehavior",
                "TemplateSelectionExpression",
                maps=("RequestParameters", "RequestTemplates"),
            ),
            "ResponseParameters": _make_response_parameters,
        },
    ),
    _make_part_of_api("IntegrationResponse", _take_all("TemplateSelectionExpression")),
    _make_part_of_api("RouteResponse"),
    _make_part_of_api(
        "Authorizer",
        _take_all("AuthorizerCredentialsArn", "IdentityValidationExpression", EnableSimpleResponses=False),
    ),
    _make_part_of_api("Model", _take_all("Description")),
    ResourceType(
        "AWS::ApiGatewayV2::Deployment",
        "apigatewayv2",
        create=Call("CreateDeployment"),
        updates=(Call("UpdateDeployment", _take_all("Description")),),
        delete=Call("DeleteDeployment"),
        ref="DeploymentId",
    ),
    ResourceType(
        "AWS::ApiGatewayV2::Stage",
        "apigatewayv2",
        create=Call("CreateStage"),
        updates=(
            Call(
                "UpdateStage",
                {
                    **_take_all("Description", maps=("StageVariables",), AutoDeploy=False, DefaultRouteSettings={}),
                    "RouteSettings": _take_map("RouteSettings", {}),
                },
            ),
        ),
        parts=(
            Items(
                _list_single("AccessLogSettings"),
                Call("UpdateStage"),
                Call("DeleteAccessLogSettings"),
                key=lambda item: "",
                is_made=True,
            ),
        ),
        delete=Call("DeleteStage"),
        ref="StageName",
        tag=Call("TagResource", {"ResourceArn": _make_arn_of("/apis/{ApiId}/stages/{StageName}")}),
    ),
    ResourceType(
        "AWS::ApiGatewayV2::DomainName",
        "apigatewayv2",
        create=Call("CreateDomainName"),
        read=Call("GetDomainName"),
        updates=(Call("UpdateDomainName"),),
        delete=Call("DeleteDomainName"),
        attributes={
            "RegionalDomainName": "DomainNameConfigurations.0.ApiGatewayDomainName",
            "RegionalHostedZoneId": "DomainNameConfigurations.0.HostedZoneId",
        },
        list=Call("GetDomainNames"),
    ),
    ResourceType(
        "AWS::ApiGatewayV2::ApiMapping",
        "apigatewayv2",
        create=Call("CreateApiMapping"),
        updates=(Call("UpdateApiMapping", _take_all("ApiMappingKey")),),
        delete=Call("DeleteApiMapping"),
        ref="ApiMappingId",
    ),
)

RESOURCE_TYPES: Final = (*_REST_TYPES, *_HTTP_TYPES)
