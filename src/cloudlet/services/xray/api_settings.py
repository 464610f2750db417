"""Operations on the settings of an account: encryption, resource policies, indexing, where segments go."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Context, Params, Result, Subspace, Transaction
from cloudlet.services.xray import paging, resource_policies
from cloudlet.services.xray.block import service
from cloudlet.services.xray.errors import invalid, not_found

_ENCRYPTION = Subspace("encryption")
"""Account, region → the id of a KMS key."""
_INDEXING = Subspace("indexing")
"""Account, region → the percentage that is wanted, and when that was said."""
_INDEXED_AT_FIRST = 1.0
"""Percent."""


@service.operation("PutEncryptionConfig")
async def put_encryption_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = params.get("KeyId")
    if (params["Type"] == "KMS") != (key is not None):
        raise invalid("KeyId is required with the type KMS, and only then")
    if key is None:
        tx.delete(_ENCRYPTION.key(ctx.account, ctx.region))
    else:
        tx.put(_ENCRYPTION.key(ctx.account, ctx.region), key.encode())
    return {"EncryptionConfig": _encryption(key)}


@service.operation("GetEncryptionConfig")
async def get_encryption_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    raw = await tx.get(_ENCRYPTION.key(ctx.account, ctx.region))
    return {"EncryptionConfig": _encryption(None if raw is None else raw.decode())}


def _encryption(key: str | None) -> dict[str, Any]:
    return {"Type": "NONE" if key is None else "KMS", "KeyId": key, "Status": "ACTIVE"}


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


class _Indexing(msgspec.Struct, frozen=True):
    """How much of what comes is indexed. `modified` is in seconds since the epoch."""

    percentage: float = _INDEXED_AT_FIRST
    modified: float = 0.0

    def shown(self) -> dict[str, Any]:
        return {
            "Name": "Default",
            "ModifiedAt": self.modified,
            # Cloudlet finds all segments that it has, whatever is wanted.
            "Rule": {
                "Probabilistic": {"DesiredSamplingPercentage": self.percentage, "ActualSamplingPercentage": 100.0}
            },
        }


@service.operation("GetIndexingRules")
async def get_indexing_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    paging.refuse(params.get("NextToken"))
    raw = await tx.get(_INDEXING.key(ctx.account, ctx.region))
    rule = _Indexing() if raw is None else msgspec.msgpack.decode(raw, type=_Indexing)
    return {"IndexingRules": [rule.shown()]}


@service.operation("UpdateIndexingRule")
async def update_indexing_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params["Name"] != "Default":
        raise not_found(params["Name"])
    percentage = (params["Rule"].get("Probabilistic") or {}).get("DesiredSamplingPercentage")
    if percentage is None or not 0 <= percentage <= 100:
        raise invalid("DesiredSamplingPercentage must be between 0 and 100")
    rule = _Indexing(percentage, ctx.now())
    tx.put(_INDEXING.key(ctx.account, ctx.region), msgspec.msgpack.encode(rule))
    return {"IndexingRule": rule.shown()}


@service.operation("GetTraceSegmentDestination")
async def get_trace_segment_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Destination": "XRay", "Status": "ACTIVE"}


@service.operation("UpdateTraceSegmentDestination")
async def update_trace_segment_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Destination") == "CloudWatchLogs" or params.get("CloudWatchLogsConfiguration"):
        raise invalid("Cloudlet does not send segments to CloudWatch Logs.")
    return {"Destination": "XRay", "Status": "ACTIVE"}
