"""Operations on the settings of an account: encryption, resource policies, indexing, where segments go."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.xray import paging, resource_policies
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid, not_found

_NOT_ENCRYPTED: Final = {"Type": "NONE", "Status": "ACTIVE"}
_INDEXED_PERCENT: Final = 100.0
"""All segments can be found."""


@service.operation("PutEncryptionConfig")
async def put_encryption_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    if (params["Type"] == "KMS") != ("KeyId" in params):
        raise invalid("KeyId is required with the type KMS, and only then")
    if params["Type"] == "KMS":
        raise invalid("Cloudlet does not encrypt traces with KMS keys.")
    return {"EncryptionConfig": _NOT_ENCRYPTED}


@service.operation("GetEncryptionConfig")
async def get_encryption_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"EncryptionConfig": _NOT_ENCRYPTED}


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    policy = await resource_policies.put(
        ctx,
        tx,
        params["PolicyName"],
        params["PolicyDocument"],
        params.get("PolicyRevisionId"),
        bypass=bool(params.get("BypassPolicyLockoutCheck")),
    )
    return {"ResourcePolicy": policy.shown()}


@service.operation("ListResourcePolicies")
async def list_resource_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"ResourcePolicies": [policy.shown() for policy in await resource_policies.listed(ctx, tx)]}


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    await resource_policies.remove(ctx, tx, params["PolicyName"], params.get("PolicyRevisionId"))
    return {}


def _indexing() -> dict[str, Any]:
    shares = {"DesiredSamplingPercentage": _INDEXED_PERCENT, "ActualSamplingPercentage": _INDEXED_PERCENT}
    return {"Name": "Default", "ModifiedAt": 0.0, "Rule": {"Probabilistic": shares}}


@service.operation("GetIndexingRules")
async def get_indexing_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    return {"IndexingRules": [_indexing()]}


@service.operation("UpdateIndexingRule")
async def update_indexing_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params["Name"] != "Default":
        raise not_found(params["Name"])
    percentage = (params["Rule"].get("Probabilistic") or {}).get("DesiredSamplingPercentage")
    if percentage is None or not 0 <= percentage <= 100:
        raise invalid("DesiredSamplingPercentage must be between 0 and 100")
    if percentage != _INDEXED_PERCENT:
        raise invalid("Cloudlet indexes all segments: DesiredSamplingPercentage can be nothing but 100.")
    return {"IndexingRule": _indexing()}


@service.operation("GetTraceSegmentDestination")
async def get_trace_segment_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Destination": "XRay", "Status": "ACTIVE"}


@service.operation("UpdateTraceSegmentDestination")
async def update_trace_segment_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Destination") == "CloudWatchLogs" or params.get("CloudWatchLogsConfiguration"):
        raise invalid("Cloudlet does not send segments to CloudWatch Logs.")
    return {"Destination": "XRay", "Status": "ACTIVE"}
