"""Results of queries in a bucket: CSV files, and a file that signs them.

User guide, "Download your CloudTrail Lake saved query results" and "CloudTrail sign file structure": the signature is
of the hashes of the files as they are stored, with spaces between them.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import io
from time import gmtime, strftime

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import iso8601
from cloudlet.core.aws.urls import split_url
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail import buckets, public_keys
from cloudlet.services.cloudtrail.buckets import Target
from cloudlet.services.cloudtrail.lake import queries, stores
from cloudlet.services.cloudtrail.lake.queries import Delivery, Query, Row

_FILE_BYTES = 16 << 20
"""Of the text of a file, about."""
_PAGE_ROWS = 1000


def check(uri: str) -> tuple[str, str]:
    """Return the bucket and the prefix of keys that a URI names. Raises AwsError."""
    parts = split_url(uri)
    prefix = parts.path.strip("/")
    buckets.check_name(parts.netloc)
    buckets.check_prefix(prefix)
    return parts.netloc, prefix


def target_of(query: Query) -> Target:
    """Return where the result of a query goes, on behalf of the first of its stores."""
    arn = stores.arn_of(query.account, query.region, query.stores[0])
    return Target(check(query.delivery_uri)[0], query.account, query.region, arn)


async def deliver(block: Block, query: Query, names: list[str], count: int) -> Delivery:
    """Deliver a result of some columns and rows; return what came of it."""
    now = block.clock.now()
    prefix = check(query.delivery_uri)[1]
    day = strftime("%Y/%m/%d", gmtime(now))
    folder = f"{prefix}/" if prefix else ""
    folder += f"AWSLogs/{query.account}/CloudTrail-Lake/Query/{day}/{query.id}"
    target = target_of(query)
    hashes: list[str] = []
    try:
        at = 0
        while at < count or not hashes:
            rows = await _rows(block, query, at, count)
            at += len(rows)
            body = await run_in_worker(query.account, _file, names, rows)
            hashes.append(hashlib.sha256(body).hexdigest())
            name = f"{folder}/result_{len(hashes)}.csv.gz"
            await buckets.put(block, target, name, body, ContentType="application/x-gzip")
    except AwsError as error:
        return _refused(error, "FAILED", "ACCESS_DENIED")
    try:
        sign_file = await _sign_file(block, query, hashes, now)
        name = f"{folder}/result_sign.json"
        await buckets.put(block, target, name, sign_file, ContentType="application/json")
    except AwsError as error:
        return _refused(error, "FAILED_SIGNING_FILE", "ACCESS_DENIED_SIGNING_FILE")
    return "SUCCESS"


def _refused(error: AwsError, otherwise: Delivery, denied: Delivery) -> Delivery:
    if error.code == "AccessDenied":
        return denied
    return "RESOURCE_NOT_FOUND" if error.code == "NoSuchBucket" else otherwise


async def _rows(block: Block, query: Query, at: int, count: int) -> list[Row]:
    """Return the rows of a file, from an index on."""
    found: list[Row] = []
    size = 0
    while at < count and size < _FILE_BYTES:
        page = await block.store.transact(lambda tx, at=at: queries.rows(tx, query, at, _PAGE_ROWS))  # type: ignore[misc]
        if not page:
            raise AwsError("QueryIdNotFoundException", f"The query was not found: {query.id}", status=400)
        found += page
        at += len(page)
        size += sum(len(value) for row in page for _, value in row)
    return found


def _file(names: list[str], rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([value for _, value in row] for row in rows)
    return gzip.compress(out.getvalue().encode(), 6, mtime=0)


async def _sign_file(block: Block, query: Query, hashes: list[str], now: float) -> bytes:
    key = await public_keys.valid_at(block, query.region, now)
    return msgspec.json.encode(
        {
            "version": "1.0",
            "region": query.region,
            "files": [
                {"fileHashValue": each, "fileName": f"result_{number}.csv.gz"} for number, each in enumerate(hashes, 1)
            ],
            "hashAlgorithm": "SHA-256",
            "signatureAlgorithm": "SHA256withRSA",
            "queryCompleteTime": iso8601.second(int(now)),
            "hashSignature": await asyncio.to_thread(key.sign, " ".join(hashes)),
            "publicKeyFingerprint": key.fingerprint,
        }
    )
