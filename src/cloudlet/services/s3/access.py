"""Who may do what with a bucket and its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.core import Context, Params, Transaction

if TYPE_CHECKING:
    from cloudlet.services.s3.bucket import Bucket


async def authorize(
    ctx: Context,
    tx: Transaction,
    bucket: Bucket,
    action: str,
    *,
    key: str | None = None,
    version: Any = None,
    params: Params | None = None,
    conditions: Mapping[str, str] | None = None,
) -> None:
    """Raise unless the caller may do this to the bucket, or to the object `key` in it.

    `version` is the object's record, where there is one; `params` are the operation's, for ExpectedBucketOwner;
    `conditions` are further condition keys of this action.
    """


async def missing(ctx: Context, tx: Transaction, bucket: Bucket, key: str) -> None:
    """Raise AccessDenied where the caller may not learn that there is no such object."""


async def bucket_for(ctx: Context, tx: Transaction, params: Params, action: str) -> Bucket:
    """Return the bucket that a request is about, if the caller may do this to it."""
    from cloudlet.services.s3.bucket import get_bucket

    bucket = await get_bucket(ctx, tx, params["Bucket"])
    await authorize(ctx, tx, bucket, action, params=params)
    return bucket
