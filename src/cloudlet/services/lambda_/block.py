"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.lambda_ import access
from cloudlet.wire import load

_DATED = {
    "20150331": (
        "CreateAlias",
        "CreateEventSourceMapping",
        "CreateFunction",
        "DeleteAlias",
        "DeleteEventSourceMapping",
        "DeleteFunction",
        "GetAlias",
        "GetEventSourceMapping",
        "ListAliases",
        "ListEventSourceMappings",
        "ListFunctions",
        "ListVersionsByFunction",
        "PublishVersion",
        "UpdateAlias",
        "UpdateEventSourceMapping",
    ),
    "20150331v2": (
        "AddPermission",
        "GetFunction",
        "GetFunctionConfiguration",
        "GetPolicy",
        "RemovePermission",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    ),
    "20160819": ("GetAccountSettings",),
    "20170331": ("ListTags",),
    "20170331v2": ("TagResource", "UntagResource"),
    "20171031": ("DeleteFunctionConcurrency", "PutFunctionConcurrency"),
    "20181031": (
        "AddLayerVersionPermission",
        "DeleteLayerVersion",
        "GetLayerVersion",
        "GetLayerVersionPolicy",
        "ListLayerVersions",
        "ListLayers",
        "PublishLayerVersion",
        "RemoveLayerVersionPermission",
    ),
}
"""The dates and versions that CloudTrail has behind the names of operations.

Developer guide, "Logging AWS Lambda API calls using AWS CloudTrail": of GetFunction, "GetFunction20150331".
"""

service = Service(
    "lambda",
    has_files=True,
    namespace="AWS/Lambda",
    data_events=(
        "CheckpointDurableExecution",
        "GetDurableExecutionState",
        "Invoke",
        "InvokeAsync",
        "InvokeWithResponseStream",
        "SendDurableExecutionCallbackFailure",
        "SendDurableExecutionCallbackHeartbeat",
        "SendDurableExecutionCallbackSuccess",
    ),
    hidden=("ZipFile", "Environment"),
    decides=load("lambda").operations.keys() - access.GENERAL,
    recorded_as={name: f"{name}{version}" for version, names in _DATED.items() for name in names},
    reserved_tag="InvalidParameterValueException",
)
