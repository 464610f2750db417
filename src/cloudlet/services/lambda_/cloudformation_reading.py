"""The way to read resources of AWS Lambda."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags

_NAME_PARTS: Final = 7
"""The parts of a function's ARN without a qualifier."""


def _find_layers(properties: Properties) -> list[str]:
    return [layer["Arn"] for layer in properties[ANSWER].get("Layers") or ()]


def _find_weights(properties: Properties) -> dict[str, Any] | None:
    weights = find_path(properties[ANSWER], "RoutingConfig.AdditionalVersionWeights") or {}
    found = [{"FunctionVersion": version, "FunctionWeight": weight} for version, weight in weights.items()]
    return {"AdditionalVersionWeights": found} if found else None


def _cut_function(name: str) -> Callable[[Properties], str]:
    """Return the ARN of a function without its qualifier, from a property."""
    return lambda properties: ":".join(str(properties[name]).split(":")[:_NAME_PARTS])


def _cut_qualifier(name: str) -> Callable[[Properties], str | None]:
    """Return the qualifier in an ARN of a function, from a property."""

    def cut(properties: Properties) -> str | None:
        return ":".join(str(properties[name]).split(":")[_NAME_PARTS:]) or None

    return cut


def _find_name(properties: Properties) -> str:
    return str(properties[ANSWER]["FunctionArn"]).split(":")[_NAME_PARTS - 1]


def _find_own_name(name: str) -> Callable[[Properties], str]:
    return lambda properties: str(properties[name]).split(":")[_NAME_PARTS - 1]


def _find_statement(properties: Properties) -> dict[str, Any] | None:
    statements = json.loads(properties[ANSWER]["Policy"])["Statement"]
    return next((one for one in statements if one.get("Sid") == properties["Id"]), None)


def _find_principal(properties: Properties) -> Any:
    given = properties[ANSWER]["Principal"]
    return next(iter(given.values())) if isinstance(given, dict) else given


def _find_condition(key: str) -> Callable[[Properties], Any]:
    """Return a source of the value that a condition key has in a statement."""

    def find(properties: Properties) -> Any:
        conditions = properties[ANSWER].get("Condition") or {}
        return next((keys[name] for keys in conditions.values() for name in keys if name.lower() == key.lower()), None)

    return find


def _is_enabled(properties: Properties) -> bool:
    return properties[ANSWER].get("State") in ("Enabled", "Enabling", "Creating", "Updating")


def _find_target(properties: Properties) -> str:
    return str(properties[ANSWER]["FunctionArn"])


def _find_provisioned(properties: Properties) -> dict[str, Any] | None:
    count = properties[ANSWER].get("RequestedProvisionedConcurrentExecutions")
    return {"ProvisionedConcurrentExecutions": count} if count else None


def _read_provisioned(arn: str) -> Read:
    """Return the reading of the provisioned concurrency of a version or an alias."""
    return Read(
        Call("GetProvisionedConcurrencyConfig", {"FunctionName": _cut_function(arn), "Qualifier": _cut_qualifier(arn)}),
        {"ProvisionedConcurrencyConfig": _find_provisioned},
        is_exact=True,
    )


def _find_layer_name(properties: Properties) -> str:
    return str(properties["LayerVersionArn"]).split(":")[6]


READINGS: Final = {
    "AWS::Lambda::Function": Reading(
        Read(
            Call("GetFunctionConfiguration", {"Qualifier": None}),
            {"Layers": _find_layers, "ImageConfig": "ImageConfigResponse.ImageConfig", "Code": None},
        ),
        (
            Read(Call("GetFunctionConcurrency")),
            Read(Call("GetFunctionRecursionConfig")),
            Read(
                Call("GetRuntimeManagementConfig", {"Qualifier": None}), {"RuntimeManagementConfig": ""}, is_exact=True
            ),
            Read(Call("GetFunctionCodeSigningConfig")),
            read_tags("ListTags", "Resource", "Arn"),
        ),
    ),
    "AWS::Lambda::Version": Reading(
        Read(
            Call("GetFunctionConfiguration", {"FunctionName": "FunctionArn", "Qualifier": None}),
            {"FunctionName": _find_name, "RuntimePolicy": None},
        ),
        (_read_provisioned("FunctionArn"),),
        Listing(Call("ListVersionsByFunction")),
    ),
    "AWS::Lambda::Alias": Reading(
        Read(
            Call("GetAlias", {"FunctionName": _cut_function("AliasArn"), "Name": _cut_qualifier("AliasArn")}),
            {"FunctionName": _find_own_name("AliasArn"), "RoutingConfig": _find_weights},
        ),
        (_read_provisioned("AliasArn"),),
        Listing(Call("ListAliases")),
    ),
    "AWS::Lambda::Permission": Reading(
        Read(
            Call("GetPolicy", {"Qualifier": None}),
            {
                "Principal": _find_principal,
                "SourceArn": _find_condition("AWS:SourceArn"),
                "SourceAccount": _find_condition("AWS:SourceAccount"),
                "PrincipalOrgID": _find_condition("aws:PrincipalOrgID"),
                "EventSourceToken": _find_condition("lambda:EventSourceToken"),
                "FunctionUrlAuthType": _find_condition("lambda:FunctionUrlAuthType"),
                "InvokedViaFunctionUrl": _find_condition("lambda:InvokedViaFunctionUrl"),
                "FunctionName": None,
            },
            root=_find_statement,
        )
    ),
    "AWS::Lambda::ResourcePolicy": Reading(
        Read(Call("GetResourcePolicy"), {"PolicyDocument": "Policy"}, is_exact=True)
    ),
    "AWS::Lambda::EventSourceMapping": Reading(
        Read(
            Call("GetEventSourceMapping", {"UUID": "Id"}),
            {"Enabled": _is_enabled, "FunctionName": _find_target},
        ),
        (read_tags("ListTags", "Resource", "EventSourceMappingArn"),),
        Listing(Call("ListEventSourceMappings")),
    ),
    "AWS::Lambda::LayerVersion": Reading(
        Read(
            Call("GetLayerVersionByArn", {"Arn": "LayerVersionArn"}), {"LayerName": _find_layer_name, "Content": None}
        ),
        list=Listing(Call("ListLayerVersions")),
    ),
    "AWS::Lambda::Url": Reading(
        Read(
            Call(
                "GetFunctionUrlConfig",
                {"FunctionName": _cut_function("FunctionArn"), "Qualifier": _cut_qualifier("FunctionArn")},
            ),
            {"TargetFunctionArn": _cut_function("FunctionArn"), "Qualifier": _cut_qualifier("FunctionArn")},
        ),
        list=Listing(
            Call("ListFunctionUrlConfigs", {"FunctionName": "TargetFunctionArn"}),
            owner=("AWS::Lambda::Function", "TargetFunctionArn"),
        ),
    ),
    "AWS::Lambda::EventInvokeConfig": Reading(
        list=Listing(
            Call("ListFunctionEventInvokeConfigs"),
            properties={"Qualifier": lambda properties: properties["Item"]["FunctionArn"].rpartition(":")[2]},
        )
    ),
}
