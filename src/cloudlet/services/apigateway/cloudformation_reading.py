"""The way to read resources of Amazon API Gateway: REST, HTTP and WebSocket APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.outputs import parse_document
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading

# REST APIs


def _find_policy(properties: Properties) -> Any:
    # The text has its quotes escaped.
    policy = properties[ANSWER].get("policy")
    return None if policy is None else parse_document(policy.replace('\\"', '"'))


def _find_integration(properties: Properties) -> Any:
    found = properties[ANSWER].get("methodIntegration")
    if found is None:
        return None
    shown = {name: value for name, value in found.items() if name not in ("httpMethod", "integrationResponses")}
    responses = list((found.get("integrationResponses") or {}).values())
    return {
        **shown,
        "integrationHttpMethod": found.get("httpMethod"),
        **({"integrationResponses": responses} if responses else {}),
    }


def _list_method_responses(properties: Properties) -> list[Any]:
    return list((properties[ANSWER].get("methodResponses") or {}).values())


def _list_settings(properties: Properties) -> list[dict[str, Any]]:
    found = []
    for path, setting in (properties[ANSWER].get("methodSettings") or {}).items():
        resource, _, method = path.rpartition("/")
        resource = resource.replace("~1", "/").replace("~0", "~")
        resource = "/*" if resource == "*" else f"/{resource.lstrip('/')}"
        found.append({**setting, "resourcePath": resource, "httpMethod": method})
    return found


def _list_stage_keys(properties: Properties) -> list[dict[str, str]]:
    keys = [key.partition("/") for key in properties[ANSWER].get("stageKeys") or ()]
    return [{"RestApiId": api, "StageName": stage} for api, _, stage in keys]


def _list_stages(properties: Properties) -> list[dict[str, Any]]:
    return [{**stage, "throttle": stage.get("throttle") or None} for stage in properties[ANSWER].get("apiStages") or ()]


def _get_plan(properties: Properties) -> str:
    return str(properties["Id"]).partition(":")[2]


def _get_key(properties: Properties) -> str:
    return str(properties["Id"]).partition(":")[0]


def _find_plan(properties: Properties) -> str:
    return _get_plan(properties)


def _get_base_path(properties: Properties) -> str:
    return properties.get("BasePath") or "(none)"


def _find_base_path(properties: Properties) -> Any:
    path = properties[ANSWER].get("basePath")
    return None if path == "(none)" else path


def _find_account(properties: Properties) -> Mapping[str, Any] | None:
    answer: Mapping[str, Any] = properties[ANSWER]
    return answer if answer.get("cloudwatchRoleArn") else None


_REST_READINGS: Final = {
    "AWS::ApiGateway::RestApi": Reading(
        Read(Call("GetRestApi"), {"Policy": _find_policy, "Parameters": None}),
        list=Listing(Call("GetRestApis")),
    ),
    "AWS::ApiGateway::Resource": Reading(
        Read(Call("GetResource", {"embed": None})), list=Listing(Call("GetResources", {"embed": None}))
    ),
    "AWS::ApiGateway::Method": Reading(
        Read(Call("GetMethod"), {"Integration": _find_integration, "MethodResponses": _list_method_responses})
    ),
    "AWS::ApiGateway::Deployment": Reading(
        Read(Call("GetDeployment", {"embed": None})), list=Listing(Call("GetDeployments"))
    ),
    "AWS::ApiGateway::Stage": Reading(
        Read(
            Call("GetStage"),
            {
                "AccessLogSetting": "accessLogSettings",
                "CanarySetting": "canarySettings",
                "MethodSettings": _list_settings,
            },
        ),
        list=Listing(Call("GetStages", {"deploymentId": None})),
    ),
    "AWS::ApiGateway::Account": Reading(Read(Call("GetAccount"), root=_find_account)),
    "AWS::ApiGateway::Authorizer": Reading(Read(Call("GetAuthorizer")), list=Listing(Call("GetAuthorizers"))),
    "AWS::ApiGateway::Model": Reading(
        Read(Call("GetModel", {"modelName": "Name", "flatten": None})), list=Listing(Call("GetModels"))
    ),
    "AWS::ApiGateway::RequestValidator": Reading(
        Read(Call("GetRequestValidator")), list=Listing(Call("GetRequestValidators"))
    ),
    "AWS::ApiGateway::DocumentationPart": Reading(
        Read(Call("GetDocumentationPart")), list=Listing(Call("GetDocumentationParts", {"locationStatus": None}))
    ),
    "AWS::ApiGateway::DocumentationVersion": Reading(
        Read(Call("GetDocumentationVersion"), {"DocumentationVersion": "version"}),
        list=Listing(Call("GetDocumentationVersions"), properties={"DocumentationVersion": "version"}),
    ),
    "AWS::ApiGateway::ApiKey": Reading(
        Read(
            Call("GetApiKey", {"apiKey": "APIKeyId", "includeValue": lambda properties: True}),
            {"StageKeys": _list_stage_keys},
        ),
        list=Listing(Call("GetApiKeys", {"nameQuery": None, "customerId": None})),
    ),
    "AWS::ApiGateway::UsagePlan": Reading(
        Read(
            Call("GetUsagePlan", {"usagePlanId": "Id"}),
            {"UsagePlanName": "name", "ApiStages": _list_stages},
        ),
        list=Listing(Call("GetUsagePlans", {"keyId": None})),
    ),
    "AWS::ApiGateway::UsagePlanKey": Reading(
        Read(
            Call("GetUsagePlanKey", {"usagePlanId": _get_plan, "keyId": _get_key}),
            {"KeyId": "id", "KeyType": "type", "UsagePlanId": _find_plan, "Id": None},
        )
    ),
    "AWS::ApiGateway::BasePathMapping": Reading(
        Read(Call("GetBasePathMapping", {"basePath": _get_base_path}), {"BasePath": _find_base_path}),
        list=Listing(Call("GetBasePathMappings")),
    ),
    "AWS::ApiGateway::ClientCertificate": Reading(
        Read(Call("GetClientCertificate")), list=Listing(Call("GetClientCertificates"))
    ),
}

# HTTP and WebSocket APIs


def _find_response_parameters(properties: Properties) -> dict[str, Any]:
    given = properties[ANSWER].get("ResponseParameters") or {}
    return {
        status: {"ResponseParameters": [{"Destination": name, "Source": value} for name, value in one.items()]}
        for status, one in given.items()
    }


def _read_part(name: str, **properties: Any) -> Reading:
    """Return the reading of a part of an API: all have their operations named alike."""
    return Reading(Read(Call(f"Get{name}"), properties), list=Listing(Call(f"Get{name}s")))


_HTTP_READINGS: Final = {
    "AWS::ApiGatewayV2::Route": _read_part("Route"),
    "AWS::ApiGatewayV2::Integration": _read_part("Integration", ResponseParameters=_find_response_parameters),
    "AWS::ApiGatewayV2::IntegrationResponse": _read_part("IntegrationResponse"),
    "AWS::ApiGatewayV2::RouteResponse": _read_part("RouteResponse"),
    "AWS::ApiGatewayV2::Authorizer": _read_part("Authorizer"),
    "AWS::ApiGatewayV2::Model": _read_part("Model"),
    "AWS::ApiGatewayV2::Deployment": _read_part("Deployment"),
    "AWS::ApiGatewayV2::Stage": _read_part("Stage"),
    "AWS::ApiGatewayV2::ApiMapping": _read_part("ApiMapping"),
}

READINGS: Final = {**_REST_READINGS, **_HTTP_READINGS}
