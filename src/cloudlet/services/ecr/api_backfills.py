"""The operations on replication backfills."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.ecr import backfills, errors
from cloudlet.services.ecr.api_repositories import check_own_registry
from cloudlet.services.ecr.backfill_record import Backfill, BackfillResult
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.replicating import COMPLETE, FAILED, Destination

_MAX_LISTED_BACKFILLS: Final = 25
_MAX_LISTED_RESULTS: Final = 100


@service.operation("StartReplicationBackfill")
async def start_replication_backfill(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_own_registry(ctx, params)
    asked = params["destination"]
    destination = Destination(asked["region"], asked["registryId"])
    return _show(await backfills.start(tx, ctx.account, ctx.region, destination, ctx.now()))


@service.operation("StopReplicationBackfill")
async def stop_replication_backfill(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _show(await backfills.stop(tx, await _get(ctx, tx, params), ctx.now()))


def _show(backfill: Backfill) -> dict[str, Any]:
    shown = backfills.to_api(backfill)
    members = ("replicationBackfillId", "destination", "status", "startedAt")
    return {"registryId": backfill.account, **{member: shown[member] for member in members}}


@service.operation("ListReplicationBackfills")
async def list_replication_backfills(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_own_registry(ctx, params)
    found, token = await listing.list_page(
        tx,
        backfills.get_space(ctx.account, ctx.region),
        params.get("nextToken"),
        params.get("maxResults") or _MAX_LISTED_BACKFILLS,
        backfills.decode,
        errors.InvalidNextToken(),
    )
    shown = [backfills.to_api(each) for each in found]
    return {"registryId": ctx.account, "backfills": shown, "nextToken": token}


@service.operation("DescribeReplicationBackfillResults")
async def describe_replication_backfill_results(ctx: Context, tx: Transaction, params: Params) -> Result:
    backfill = await _get(ctx, tx, params)
    wanted = params.get("resultStatusFilter")

    def select(raw: bytes) -> BackfillResult | None:
        result = backfills.decode_result(raw)
        return result if wanted in (None, _get_status(result)) else None

    found: list[BackfillResult] = []
    token = None
    if backfill.status in backfills.ENDED:
        found, token = await listing.list_page(
            tx,
            backfills.get_result_space(backfill),
            params.get("nextToken"),
            params.get("maxResults") or _MAX_LISTED_RESULTS,
            select,
            errors.InvalidNextToken(),
        )
    results = [_show_result(each) for each in found]
    return {"registryId": ctx.account, **backfills.to_api(backfill), "results": results, "nextToken": token}


async def _get(ctx: Context, tx: Transaction, params: Params) -> Backfill:
    check_own_registry(ctx, params)
    return await backfills.get(tx, ctx.account, ctx.region, params["replicationBackfillId"].lower())


def _get_status(result: BackfillResult) -> str:
    return FAILED if result.failure else COMPLETE


def _show_result(result: BackfillResult) -> dict[str, Any]:
    return {
        "repositoryName": result.repository,
        "imageId": {"imageDigest": result.digest, "imageTag": result.tag or None},
        "status": _get_status(result),
        "failureCode": result.failure or None,
    }
