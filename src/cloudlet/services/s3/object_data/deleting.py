"""Deleting objects, one or many: DeleteObject, DeleteObjects."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import conditions, multipart, versions
from cloudlet.services.s3.object_data.objects import NULL, Version
from cloudlet.services.s3.permissions import access
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import locks

_MOST = 1000
_AT_ONCE = 50
"""So many are deleted before others have their turn."""


async def _delete(
    ctx: Context, tx: Transaction, bucket: Bucket, params: Params, entry: Params, key: str, version_id: str | None
) -> dict[str, Any]:
    """Delete a version, or the object; return DeleteMarker and VersionId as DeleteObject does. Raises AwsError.

    `params` are the request's, `entry` has the conditions.
    """
    now = int(ctx.now() * 1000)
    if version_id == "":
        raise errors.invalid_argument("Version id cannot be the empty string", "versionId", "")
    if version_id is None:
        before = await versions.newest(tx, bucket, key)
        there = None if before is None or before.marker else before
        if there is not None and there.tags:
            request_metrics.of(ctx).tags = there.tags
        await access.authorize(ctx, tx, bucket, "s3:DeleteObject", key=key, version=there, params=params)
        await _check_conditions(ctx, tx, bucket, params, entry, key, there, "s3:GetObject")
        await multipart.note_removal(tx, bucket, key)
        marker = await versions.delete(tx, bucket, key, now)
        if marker is not None:
            await events.note(ctx.block, tx, bucket, "ObjectRemoved:DeleteMarkerCreated", key, marker, ctx=ctx)
            return {"DeleteMarker": True, "VersionId": marker.id}
        if before is not None or entry is not params:
            # DeleteObjects tells of keys that were not there, too.
            gone = before or Version(NULL, now)
            await events.note(ctx.block, tx, bucket, "ObjectRemoved:Delete", key, gone, ctx=ctx)
        return {}
    named = {"s3:VersionId": version_id}
    await access.authorize(ctx, tx, bucket, "s3:DeleteObjectVersion", key=key, params=params, conditions=named)
    version = await versions.find(tx, bucket, key, version_id)
    await _check_conditions(ctx, tx, bucket, params, entry, key, version, "s3:GetObjectVersion")
    if version is None:
        return {"VersionId": version_id}
    bypass = bool(params.get("BypassGovernanceRetention"))
    await locks.check_deletable(ctx, tx, bucket, key, version, bypass=bypass)
    await multipart.note_removal(tx, bucket, key)
    await versions.remove(tx, bucket, key, version, now)
    await events.note(ctx.block, tx, bucket, "ObjectRemoved:Delete", key, version, ctx=ctx)
    return {"VersionId": version_id, **({"DeleteMarker": True} if version.marker else {})}


async def _check_conditions(
    ctx: Context,
    tx: Transaction,
    bucket: Bucket,
    params: Params,
    entry: Params,
    key: str,
    version: Version | None,
    action: str,
) -> None:
    """Raise AwsError unless the conditions of a deletion hold, and the caller may know whether they do.

    User guide, "How to perform conditional deletes": an entity tag tells what the object is, "*" does not.
    """
    if conditions.tag_of(entry) not in (None, "*"):
        await access.authorize(ctx, tx, bucket, action, key=key, version=version, params=params)
    conditions.check_delete(entry, key, version)


def _check_mfa(params: Params) -> None:
    if "MFA" in params:
        raise errors.not_implemented("MFA delete")


async def delete_object(ctx: Context, tx: Transaction, params: Params) -> dict[str, Any]:
    """Delete one object or one version of it."""
    _check_mfa(params)
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    return await _delete(ctx, tx, bucket, params, params, params["Key"], params.get("VersionId"))


async def delete_objects(ctx: Context, params: Params) -> dict[str, Any]:
    """Delete up to a thousand; what goes wrong with one does not keep the others.

    Each is deleted for itself, some of them in a transaction, so that others have their turn in between.
    """
    _check_mfa(params)
    entries, quiet = params["Delete"]["Objects"], params["Delete"].get("Quiet")
    if not 1 <= len(entries) <= _MOST:
        raise errors.malformed_xml()
    deleted: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for at in range(0, len(entries), _AT_ONCE):
        if at:
            await asyncio.sleep(0)
        done, wrong = await ctx.transact(partial(_delete_some, ctx, params=params, entries=entries[at : at + _AT_ONCE]))
        deleted += done
        failed += wrong
    answer: dict[str, Any] = {} if quiet else {"Deleted": deleted}
    return answer | ({"Errors": failed} if failed else {})


async def _delete_some(
    ctx: Context, tx: Transaction, *, params: Params, entries: list[Params]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Delete some of the objects that a request names; return what is told of those deleted, and of the others."""
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    access.check_expected_owner(bucket, params.get("ExpectedBucketOwner"))
    deleted: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        key, version_id = entry["Key"], entry.get("VersionId") or None
        named = {"Key": key} if version_id is None else {"Key": key, "VersionId": version_id}
        try:
            done = await _delete(ctx, tx, bucket, params, entry, key, version_id)
        except AwsError as error:
            failed.append({**named, "Code": error.code, "Message": error.message})
            continue
        if done.get("DeleteMarker"):
            named |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
        deleted.append(named)
    return deleted, failed
