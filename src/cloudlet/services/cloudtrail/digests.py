"""Digest files: each hour a signed list of the files that were delivered, each tied to the one before it.

User guide, "CloudTrail digest file structure" and "Custom implementations of CloudTrail log file integrity validation".
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Any

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import iso8601
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail import files, public_keys, trail
from cloudlet.services.cloudtrail.outbox import Lane
from cloudlet.services.cloudtrail.trail import Trail

PERIOD_SECONDS = 3600
_MOST_FILES = 10_000
"""In one digest; the others are in the next one."""
_LANES = 100
_ALGORITHM = "SHA256withRSA"

_CHAINS = Subspace("digest-chain")
"""ARN of a trail, region → Chain."""
_FILES = Subspace("digest-file")
"""ARN of a trail, region, key of a file → Delivered."""


class Delivered(msgspec.Struct, frozen=True, array_like=True):
    """A file of events that was delivered. Times are in seconds since the epoch."""

    bucket: str
    hash: str
    """SHA-256 of its uncompressed content, in hexadecimal."""
    oldest: int
    newest: int


class Chain(msgspec.Struct, frozen=True, array_like=True):
    """Where the digests of a trail and a region have come to. `start` is when the next one begins."""

    start: int
    bucket: str = ""
    """Of the digest before; empty where there is none."""
    key: str = ""
    hash: str = ""
    signature: str = ""


_encode = msgspec.msgpack.encode
_decode_chain = msgspec.msgpack.Decoder(Chain).decode
_decode_file = msgspec.msgpack.Decoder(Delivered).decode


async def begin(tx: Transaction, lane: Lane, now: float) -> None:
    """Have digests of a trail and a region from now on, if there are none yet."""
    if await tx.get(_CHAINS.key(*lane)) is None:
        tx.put(_CHAINS.key(*lane), _encode(Chain(int(now))))


async def add(tx: Transaction, lane: Lane, now: float, key: str, delivered: Delivered) -> None:
    """Have a delivered file in the next digest."""
    await begin(tx, lane, now)
    tx.put(_FILES.key(*lane, key), _encode(delivered))


def clear(tx: Transaction, arn: str) -> None:
    """Forget the digests of a trail."""
    for space in (_CHAINS.sub(arn), _FILES.sub(arn)):
        tx.delete_range(space.begin, space.end)


async def deliver_due(block: Block, lease: Lease, works: KeyedTasks) -> float:
    """Deliver the digests whose hour is over; return when the next one is due, in seconds since the epoch."""
    next_due = float("inf")
    after = _CHAINS.begin
    while True:
        rows = await block.store.transact(lambda tx, after=after: tx.range(after, _CHAINS.end, limit=_LANES))  # type: ignore[misc]
        for key, chain in works.decode_rows(rows, "the chain of digests", _decode_chain).items():
            lane = Lane(*_CHAINS.unpack(key))
            now = int(block.clock.now())
            due = chain.start + PERIOD_SECONDS
            if due <= now:
                await lease.hold()
                await works.attempt(key, f"the digest for {lane}", partial(_deliver, block, lane, chain, now))
                # What could not be delivered is tried again with the next files.
                due = now + PERIOD_SECONDS
            next_due = min(next_due, due)
        if len(rows) < _LANES:
            return next_due
        after = rows[-1][0] + b"\x00"


async def _deliver(block: Block, lane: Lane, chain: Chain, end: int) -> None:
    """Deliver one digest, and go on to the next, or end the chain where the trail has none any more."""
    space = _FILES.sub(*lane)

    async def read(tx: Transaction) -> tuple[Trail | None, list[tuple[str, Delivered]]]:
        if not await _is_at(tx, lane, chain):
            return None, []
        rows = await tx.range(space.begin, space.end, limit=_MOST_FILES)
        listed = [(space.unpack(key)[0], _decode_file(raw)) for key, raw in rows]
        return await trail.find_by_arn(tx, lane.of), listed

    of, listed = await block.store.transact(read)
    if of is None:
        return
    goes_on = of.logging and of.validated
    key = await public_keys.valid_at(block, of.region, end)
    name = files.digest_key(of, lane.region, end)
    content = msgspec.json.encode(_content(of, lane, chain, end, name, key, listed))
    digest = hashlib.sha256(content).hexdigest()
    signed = f"{iso8601.second(end)}\n{of.bucket}/{name}\n{digest}\n{chain.signature or 'null'}"
    signature = await asyncio.to_thread(key.sign, signed)
    try:
        metadata = {"signature": signature, "signature-algorithm": _ALGORITHM}
        await files.put(block, of, name, content, Metadata=metadata)
    except AwsError as error:
        code = error.code
        await block.store.transact(lambda tx: trail.note(tx, lane.of, digest_error=code))
        return

    async def go_on(tx: Transaction) -> None:
        if not await _is_at(tx, lane, chain) or await trail.find_by_arn(tx, lane.of) is None:
            return
        for each, _ in listed:
            tx.delete(space.key(each))
        if goes_on:
            tx.put(_CHAINS.key(*lane), _encode(Chain(end, of.bucket, name, digest, signature)))
        else:
            tx.delete(_CHAINS.key(*lane))
        await trail.note(tx, lane.of, digest_delivered=block.clock.now(), digest_error="")

    await block.store.transact(go_on)


async def _is_at(tx: Transaction, lane: Lane, chain: Chain) -> bool:
    """Whether the digests of a trail and a region have come no further: another process may have delivered some."""
    raw = await tx.get(_CHAINS.key(*lane))
    return raw is not None and _decode_chain(raw) == chain


def _content(
    of: Trail,
    lane: Lane,
    chain: Chain,
    end: int,
    name: str,
    key: public_keys.Key,
    listed: list[tuple[str, Delivered]],
) -> dict[str, Any]:
    return {
        "awsAccountId": of.account,
        "digestStartTime": iso8601.second(chain.start),
        "digestEndTime": iso8601.second(end),
        "digestS3Bucket": of.bucket,
        "digestS3Object": name,
        "digestPublicKeyFingerprint": key.fingerprint,
        "digestSignatureAlgorithm": _ALGORITHM,
        "newestEventTime": iso8601.second(max(each.newest for _, each in listed)) if listed else None,
        "oldestEventTime": iso8601.second(min(each.oldest for _, each in listed)) if listed else None,
        "previousDigestS3Bucket": chain.bucket or None,
        "previousDigestS3Object": chain.key or None,
        "previousDigestHashValue": chain.hash or None,
        "previousDigestHashAlgorithm": "SHA-256" if chain.hash else None,
        "previousDigestSignature": chain.signature or None,
        "logFiles": [
            {
                "s3Bucket": each.bucket,
                "s3Object": file,
                "hashValue": each.hash,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": iso8601.second(each.newest),
                "oldestEventTime": iso8601.second(each.oldest),
            }
            for file, each in listed
        ],
    }
