"""The files of a trail in its bucket: their names, and how they are put there.

User guide, "Finding your CloudTrail log files" and "CloudTrail digest file structure".
"""

from __future__ import annotations

import asyncio
import gzip
from time import gmtime, strftime
from typing import Any

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import token
from cloudlet.services.cloudtrail import buckets, encryption
from cloudlet.services.cloudtrail.buckets import Target
from cloudlet.services.cloudtrail.trail import Trail

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def log_key(trail: Trail, region: str, now: float) -> str:
    """Return the key of a new file of events."""
    name = f"{trail.account}_CloudTrail_{region}_{strftime('%Y%m%dT%H%MZ', gmtime(now))}_{token(16, _LETTERS)}"
    return f"{_folder(trail, 'CloudTrail', region, now)}/{name}.json.gz"


def digest_key(trail: Trail, region: str, end: float) -> str:
    """Return the key of the digest file that ends at a moment."""
    name = f"{trail.account}_CloudTrail-Digest_{region}_{trail.name}_{trail.region}"
    folder = _folder(trail, "CloudTrail-Digest", region, end)
    return f"{folder}/{name}_{strftime('%Y%m%dT%H%M%SZ', gmtime(end))}.json.gz"


def _folder(trail: Trail, kind: str, region: str, moment: float) -> str:
    prefix = f"{trail.prefix}/" if trail.prefix else ""
    return f"{prefix}AWSLogs/{trail.account}/{kind}/{region}/{strftime('%Y/%m/%d', gmtime(moment))}"


async def put(block: Block, trail: Trail, key: str, content: bytes, **more: Any) -> None:
    """Put a file into a trail's bucket, compressed. Raises AwsError."""
    compressed = await asyncio.to_thread(gzip.compress, content, 6, mtime=0)
    target = Target(trail.bucket, trail.account, trail.region, trail.arn)
    more |= encryption.list_parameters(trail)
    more |= {"ContentType": "application/json", "ContentEncoding": "gzip"}
    await buckets.put(block, target, key, compressed, **more)
