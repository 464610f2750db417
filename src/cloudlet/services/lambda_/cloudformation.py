"""The resource types of AWS Lambda."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import NAME, Call, Name, Part, Properties, Ready, ResourceType, Source

_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
_INLINE_MODULES: Final = Path(__file__).parent / "inline_modules"
_NODE_MODULE: Final = ("cfn-response", "cfn-response.js", "node_modules/cfn-response.js")
_PYTHON_MODULE: Final = ("cfnresponse", "cfnresponse.py", "cfnresponse.py")
"""A module: the word that asks for it, its file, its place in the package."""


def _make_zip(properties: Properties) -> bytes | None:
    """Return the package of a function whose source is in the template."""
    source = (properties.get("Code") or {}).get("ZipFile")
    if source is None:
        return None
    is_node = str(properties.get("Runtime", "")).startswith("nodejs")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        _write(package, "index.js" if is_node else "index.py", source)
        word, module, place = _NODE_MODULE if is_node else _PYTHON_MODULE
        if word in source:
            _write(package, place, (_INLINE_MODULES / module).read_text())
    return packed.getvalue()


def _write(package: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, _FIRST_DAY)
    entry.external_attr = 0o644 << 16
    package.writestr(entry, text)


def _make_code(properties: Properties) -> dict[str, Any]:
    return {**properties["Code"], **({"ZipFile": _make_zip(properties)} if "ZipFile" in properties["Code"] else {})}


def _make_weights(properties: Properties) -> dict[str, Any] | None:
    given = properties.get("RoutingConfig")
    if given is None:
        return None
    weights = given.get("AdditionalVersionWeights") or ()
    return {"AdditionalVersionWeights": {one["FunctionVersion"]: one["FunctionWeight"] for one in weights}}


def _get_layer(properties: Properties) -> str:
    return str(properties["LayerVersionArn"]).rpartition(":")[0]


def _get_layer_version(properties: Properties) -> str:
    return str(properties["LayerVersionArn"]).rpartition(":")[2]


_CODE: Final[dict[str, Source | None]] = {
    "ZipFile": _make_zip,
    "S3Bucket": "Code.S3Bucket",
    "S3Key": "Code.S3Key",
    "S3ObjectVersion": "Code.S3ObjectVersion",
    "S3ObjectStorageMode": "Code.S3ObjectStorageMode",
    "ImageUri": "Code.ImageUri",
    "SourceKMSKeyArn": "Code.SourceKMSKeyArn",
    "RevisionId": None,
}
_DEFAULTS: Final = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "Layers": [],
    "DeadLetterConfig": {"TargetArn": ""},
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
}
_UUID: Final = {"UUID": "Id"}


def _make_provisioned(qualifier: str) -> Part:
    """Return the provisioned concurrency of a version or an alias."""
    members = {
        "Qualifier": qualifier,
        "ProvisionedConcurrentExecutions": "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions",
    }
    return Part(
        "ProvisionedConcurrencyConfig",
        Call("PutProvisionedConcurrencyConfig", members),
        Call("DeleteProvisionedConcurrencyConfig", {"Qualifier": qualifier}),
    )


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::Lambda::Function",
        "lambda",
        create=Call("CreateFunction", {"Code": _make_code}),
        read=Call("GetFunctionConfiguration"),
        updates=(
            Call("UpdateFunctionCode", _CODE),
            Call("UpdateFunctionConfiguration", {"RevisionId": None}, _DEFAULTS),
        ),
        parts=(
            Part("ReservedConcurrentExecutions", Call("PutFunctionConcurrency"), Call("DeleteFunctionConcurrency")),
            Part("RecursiveLoop", Call("PutFunctionRecursionConfig")),
            Part(
                "RuntimeManagementConfig",
                Call(
                    "PutRuntimeManagementConfig",
                    {
                        "UpdateRuntimeOn": "RuntimeManagementConfig.UpdateRuntimeOn",
                        "RuntimeVersionArn": "RuntimeManagementConfig.RuntimeVersionArn",
                    },
                ),
            ),
        ),
        delete=Call("DeleteFunction", {"Qualifier": None}),
        named=Name("FunctionName", 64),
        attributes={"Arn": "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}"},
        tag=Call("TagResource", {"Resource": "Arn"}),
        ready=(
            Ready("State", ("Active", "Inactive"), ("Failed",), "StateReason"),
            Ready("LastUpdateStatus", ("Successful", None, ""), ("Failed",), "LastUpdateStatusReason"),
        ),
        list=Call("ListFunctions"),
    ),
    ResourceType(
        "AWS::Lambda::Version",
        "lambda",
        create=Call("PublishVersion"),
        read=Call("GetFunctionConfiguration", {"Qualifier": "Version"}),
        parts=(_make_provisioned("Version"),),
        delete=Call("DeleteFunction", {"Qualifier": "Version"}),
        ready=(Ready("State", ("Active", "Inactive"), ("Failed",), "StateReason"),),
    ),
    ResourceType(
        "AWS::Lambda::Alias",
        "lambda",
        create=Call("CreateAlias", {"RoutingConfig": _make_weights}),
        read=Call("GetAlias"),
        updates=(Call("UpdateAlias", {"RoutingConfig": _make_weights}, {"Description": "", "RoutingConfig": {}}),),
        parts=(_make_provisioned("Name"),),
        delete=Call("DeleteAlias"),
    ),
    ResourceType(
        "AWS::Lambda::Permission",
        "lambda",
        create=Call("AddPermission", {"StatementId": NAME}),
        delete=Call("RemovePermission", {"StatementId": "Id"}),
        attributes={"Id": f"{{{NAME}}}"},
        ref="Id",
    ),
    ResourceType(
        "AWS::Lambda::EventSourceMapping",
        "lambda",
        create=Call("CreateEventSourceMapping"),
        read=Call("GetEventSourceMapping", _UUID),
        updates=(Call("UpdateEventSourceMapping", _UUID),),
        delete=Call("DeleteEventSourceMapping", _UUID),
        attributes={"Id": "UUID"},
        tag=Call("TagResource", {"Resource": "EventSourceMappingArn"}),
        ready=(Ready("State", ("Enabled", "Disabled")),),
        is_deleted_later=True,
    ),
    ResourceType(
        "AWS::Lambda::LayerVersion",
        "lambda",
        create=Call("PublishLayerVersion"),
        delete=Call("DeleteLayerVersion", {"LayerName": _get_layer, "VersionNumber": _get_layer_version}),
        named=Name("LayerName", 64),
    ),
    ResourceType(
        "AWS::Lambda::LayerVersionPermission",
        "lambda",
        create=Call(
            "AddLayerVersionPermission",
            {"LayerName": _get_layer, "VersionNumber": _get_layer_version, "StatementId": NAME, "RevisionId": None},
        ),
        delete=Call(
            "RemoveLayerVersionPermission",
            {"LayerName": _get_layer, "VersionNumber": _get_layer_version, "StatementId": "Id", "RevisionId": None},
        ),
        attributes={"Id": f"{{{NAME}}}"},
    ),
    ResourceType(
        "AWS::Lambda::Url",
        "lambda",
        create=Call("CreateFunctionUrlConfig", {"FunctionName": "TargetFunctionArn"}),
        read=Call("GetFunctionUrlConfig", {"FunctionName": "TargetFunctionArn"}),
        updates=(Call("UpdateFunctionUrlConfig", {"FunctionName": "TargetFunctionArn"}, {"Cors": {}}),),
        delete=Call("DeleteFunctionUrlConfig", {"FunctionName": "TargetFunctionArn"}),
    ),
    ResourceType(
        "AWS::Lambda::EventInvokeConfig",
        "lambda",
        create=Call("PutFunctionEventInvokeConfig"),
        read=Call("GetFunctionEventInvokeConfig"),
        updates=(Call("PutFunctionEventInvokeConfig"),),
        delete=Call("DeleteFunctionEventInvokeConfig"),
    ),
    ResourceType(
        "AWS::Lambda::CodeSigningConfig",
        "lambda",
        create=Call("CreateCodeSigningConfig"),
        read=Call("GetCodeSigningConfig"),
        updates=(Call("UpdateCodeSigningConfig"),),
        delete=Call("DeleteCodeSigningConfig"),
        list=Call("ListCodeSigningConfigs"),
    ),
    ResourceType(
        "AWS::Lambda::ResourcePolicy",
        "lambda",
        create=Call("PutResourcePolicy", {"Policy": "PolicyDocument"}),
        updates=(Call("PutResourcePolicy", {"Policy": "PolicyDocument"}),),
        delete=Call("DeleteResourcePolicy"),
    ),
)
