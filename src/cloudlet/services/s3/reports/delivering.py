"""Objects that S3 itself writes into buckets for their owners: access logs and inventories."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import putting


async def deliver(block: Block, service: str, source: Bucket, target: str, key: str, body: Any, **more: Any) -> str:
    """Write an object into the bucket `target`, as the service principal `service` on behalf of `source`.

    `more` are further parameters of PutObject. Return its entity tag. Raises AwsError, also where the target's policy
    does not let S3 in.
    """
    principal = Principal("service", source.account, service, service)
    endpoint = block.cloud.config.endpoint
    ctx = Context(
        block, principal, source.account, source.region, uuid4(), endpoint, secure=True, source_arn=source.arn
    )
    answer = await putting.put_object(ctx, {"Bucket": target, "Key": key, "Body": body, **more})
    return str((answer or {})["ETag"]).strip('"')
