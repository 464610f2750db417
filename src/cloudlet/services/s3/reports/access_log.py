"""Server access logs: a line for each request to a bucket that has them, delivered to another bucket now and then.

User guide, "Logging requests with server access logging" and "Amazon S3 server access log format". Like AWS's they are
written as well as can be: a crash may lose what came last. Times are those until the answer begins.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from time import gmtime, perf_counter, strftime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.jobs import KeyedTasks, best_effort
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.timing import duty_cycle, wait_until
from cloudlet.services.s3.buckets.bucket import configuration, find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.buckets.walking import every_bucket
from cloudlet.services.s3.permissions.canonical_users import canonical_id
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.reports.delivering import deliver
from cloudlet.wire import WireError, load
from cloudlet.wire.host_ids import host_id

log = logging.getLogger("cloudlet.s3")

KIND: Final = "logging"
_PRINCIPAL: Final = "logging.s3.amazonaws.com"
_PERIOD_SECONDS: Final = 60.0
_MOST_BYTES: Final = 64 << 20
"""Of lines that wait, of one account half as many; those beyond are dropped."""
_MANY_BYTES: Final = 8 << 20
"""Of one account, which are delivered at once."""
_LINE_BYTES: Final = 256
"""What a line takes besides its text."""
_SHARE: Final = 4
"""Looking for the buckets that have logs, after each change, takes a quarter of the time at most."""
_DAY: Final = 86_400
_GRANTEES: Final = (("ID", "id"), ("URI", "uri"), ("EmailAddress", "emailAddress"))
_PERMISSIONS: Final = (("READ", "GrantRead"), ("FULL_CONTROL", "GrantFullControl"))
_OPERATIONS: Final = {
    "AbortMultipartUpload": "REST.DELETE.UPLOAD",
    "CompleteMultipartUpload": "REST.POST.UPLOAD",
    "CopyObject": "REST.COPY.OBJECT",
    "DeleteObjectTagging": "REST.DELETE.OBJECT_TAGGING",
    "GetObjectTagging": "REST.GET.OBJECT_TAGGING",
    "ListParts": "REST.GET.UPLOAD",
    "PutObjectTagging": "REST.PUT.OBJECT_TAGGING",
    "UploadPart": "REST.PUT.PART",
    "UploadPartCopy": "REST.COPY.PART",
    **{
        f"{verb}Website{what}": f"WEBSITE.{verb.upper()}.OBJECT"
        for verb in ("Get", "Head", "Post", "Put", "Delete", "Patch")
        for what in ("Index", "Object")
    },
}
"""What the log names them by, where that does not follow from their method and URI."""
_RESOURCES: Final = {
    "delete": "MULTI_OBJECT_DELETE",
    "list-type": "BUCKET",
    "intelligent-tiering": "INTELLIGENT_TIERING",
    "logging": "LOGGING_STATUS",
    "object-lock": "OBJECT_LOCK_CONFIGURATION",
    "ownershipControls": "OWNERSHIP_CONTROLS",
    "policy": "BUCKETPOLICY",
    "policyStatus": "POLICY_STATUS",
    "publicAccessBlock": "PUBLIC_ACCESS_BLOCK",
    "requestPayment": "REQUEST_PAYMENT",
    "versions": "BUCKETVERSIONS",
}
"""What it calls a parameter that names a resource, where that is not the parameter in capitals."""


class _Line(NamedTuple):
    bucket: str
    at: float
    """In seconds since the epoch."""
    text: str


class _Lines:
    """The lines of one block that wait to be delivered."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        """The accounts of the buckets that have logs."""
        self.changed = asyncio.Event()
        """A bucket got logs, or lost them, which other processes find out within a period; or many lines wait."""
        self.dropped: Counter[str] = Counter()
        """How many lines were, by account."""
        self._waiting: deque[_Line] = deque()
        self._held: Counter[str] = Counter()
        """Bytes, by account."""
        self._all_held = 0

    def add(self, account: str, line: _Line) -> None:
        """Let a line wait, if there is room."""
        size = len(line.text) + _LINE_BYTES
        held = self._held[account] + size
        if held > _MOST_BYTES // 2 or self._all_held + size > _MOST_BYTES:
            self.dropped[account] += 1
            return
        self._held[account] = held
        self._all_held += size
        self._waiting.append(line)
        if held > _MANY_BYTES:
            self.changed.set()

    def take(self) -> deque[_Line]:
        """Return the lines that wait, which then do not any more."""
        taken, self._waiting = self._waiting, deque()
        self._held.clear()
        self._all_held = 0
        return taken


_LINES: Final = PerBlock(lambda _: _Lines())


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Note a request that was answered, if its bucket has logs."""
    lines = _LINES.get(ctx.block)
    if operation == "PutBucketLogging" and error is None:
        lines.changed.set()
    owner = lines.owners.get(params.get("Bucket", ""))
    if owner is not None:
        text = line(owner, ctx, operation, params, result, error)
        lines.add(owner, _Line(params["Bucket"], ctx.now(), text))


async def deliver_logs(block: Block) -> None:
    """Deliver what is noted to the buckets that are to have it, now and then, until the block ends."""
    lines, works = _LINES.get(block), KeyedTasks(block)
    end: BaseException
    try:
        while True:
            lines.changed.clear()
            async with duty_cycle(_SHARE):
                lines.owners = await _owners(block, works)
            await wait_until(block, lines.changed, block.clock.now() + _PERIOD_SECONDS)
            await _deliver(block, lines)
    except BaseException as error:
        end = error
    await _deliver(block, lines)
    raise end


async def _owners(block: Block, works: KeyedTasks) -> dict[str, str]:
    return {bucket.name: bucket.account async for bucket in every_bucket(block, works) if KIND in bucket.kinds}


async def _deliver(block: Block, lines: _Lines) -> None:
    noted = lines.take()
    for account, count in lines.dropped.items():
        log.warning("%d lines of access logs of the account %s were dropped: there were too many", count, account)
    lines.dropped.clear()
    by_bucket: dict[str, list[_Line]] = {}
    for each in noted:
        by_bucket.setdefault(each.bucket, []).append(each)
    for name, found in by_bucket.items():
        await best_effort(block, f"the access log of {name}", partial(_deliver_of, block, name, found))


async def _deliver_of(block: Block, name: str, lines: list[_Line]) -> None:
    """Deliver the lines of one bucket, if it still has logs."""

    async def find(tx: Transaction) -> tuple[Bucket, Mapping[str, Any]] | None:
        bucket = await find_bucket(tx, name)
        stored = None if bucket is None else await configuration(tx, bucket, KIND)
        return None if bucket is None or stored is None else (bucket, stored["LoggingEnabled"])

    found = await block.store.transact(find)
    if found is None:
        return
    bucket, enabled = found
    more = {"ContentType": "text/plain", **_grants(bucket, enabled)}
    for key, texts in _objects(bucket, enabled, lines, block.clock.now()):
        body = "".join(f"{text}\n" for text in texts).encode()
        try:
            await deliver(block, _PRINCIPAL, bucket, enabled["TargetBucket"], key, body, **more)
        except AwsError as error:
            log.warning("the access log of %s could not be delivered: %s", name, error.message)
            return


def _objects(
    bucket: Bucket, enabled: Mapping[str, Any], lines: list[_Line], now: float
) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of the objects that are delivered now, with the lines that each has."""
    prefix = enabled.get("TargetPrefix") or ""
    partitioned = (enabled.get("TargetObjectKeyFormat") or {}).get("PartitionedPrefix")
    if partitioned is None:
        yield prefix + _name(now), [line.text for line in lines]
        return
    by_event = partitioned.get("PartitionDateSource") == "EventTime"
    days: dict[float, list[str]] = {}
    for each in lines:
        days.setdefault(each.at // _DAY * _DAY if by_event else now, []).append(each.text)
    for day, texts in days.items():
        path = f"{bucket.account}/{bucket.region}/{bucket.name}/{strftime('%Y/%m/%d', gmtime(day))}"
        yield f"{prefix}{path}/{_name(day)}", texts


def _name(moment: float) -> str:
    return f"{strftime('%Y-%m-%d-%H-%M-%S', gmtime(moment))}-{random_bytes(8).hex().upper()}"


def _grants(bucket: Bucket, enabled: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of PutObject by which those whom the owner names may read the logs, besides the owner."""
    granted: dict[str, list[str]] = {"READ": [], "FULL_CONTROL": [f'id="{canonical_id(bucket.account)}"']}
    for grant in enabled.get("TargetGrants") or ():
        grantee = grant["Grantee"]
        name = next(f'{form}="{grantee[member]}"' for member, form in _GRANTEES if grantee.get(member))
        # There is nothing that WRITE would allow with an object.
        granted.setdefault(grant["Permission"], []).append(name)
    if not enabled.get("TargetGrants"):
        return {}
    return {member: ", ".join(granted[name]) for name, member in _PERMISSIONS if granted[name]}


# -- lines


def line(owner: str, ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> str:
    """Return the line of a request that was answered, to a bucket of the account `owner`."""
    method, name, usual_status = _operation(operation)
    headers = ctx.headers
    answer = result or {}
    key = params.get("Key")
    status = error.status if error is not None else ctx.response_status or usual_status
    size = answer.get("ContentLength") if error is None else None
    signed = _auth_type(ctx)
    path = quote(f"/{params['Bucket']}/{key or ''}", safe="/~")
    fields = [
        canonical_id(owner),
        params["Bucket"],
        strftime("[%d/%b/%Y:%H:%M:%S +0000]", gmtime(ctx.now())),
        ctx.source_ip,
        "-" if ctx.principal.kind == "anonymous" else ctx.principal.arn,
        ctx.request_id,
        name,
        quote(key, safe="/~") if key else "-",
        f'"{method} {path} HTTP/1.1"',
        status or "-",
        error.code if error is not None else "-",
        size if size and method == "GET" else "-",
        size if size else "-",
        *_milliseconds(ctx),
        _quoted(headers.get("referer")),
        _quoted(headers.get("user-agent")),
        quote(params.get("VersionId") or "-"),
        host_id(ctx.request_id),
        "-" if signed == "-" else "SigV4",
        "-",
        signed,
        quote(headers.get("host", "-"), safe=":[]"),
        "-",
        "-",
        "-",
    ]
    return " ".join(map(str, fields))


def _milliseconds(ctx: Context) -> tuple[int, int]:
    """Return for how long a request has been under way, and for how long since its body had come."""
    now = perf_counter()
    complete = None if ctx.measured is None else request_metrics.of(ctx).complete
    return int((now - ctx.started) * 1000), int((now - (complete or ctx.started)) * 1000)


def _auth_type(ctx: Context) -> str:
    if ctx.principal.kind == "anonymous":
        return "-"
    return "AuthHeader" if "authorization" in ctx.headers else "QueryString"


def _quoted(value: str | None) -> str:
    """Return a header as a field; no quote or line in it ends the field or the line."""
    if value is None:
        return '"-"'
    written = re.sub(r"[\x00-\x1f\x7f]", " ", value).replace('"', "%22")
    return f'"{written}"'


@lru_cache(256)
def _operation(name: str) -> tuple[str, str, int]:
    """Return the method of an operation, what the log names it by, and its status: GET, "REST.GET.OBJECT", 200."""
    model = load("s3").operations[name]
    method, status = model.http_method, model.status
    if name in _OPERATIONS:
        return method, _OPERATIONS[name], status
    path, _, query = model.uri.partition("?")
    for parameter in filter(None, re.split("[&=]", query)):
        if parameter in _RESOURCES:
            return method, f"REST.{method}.{_RESOURCES[parameter]}", status
        if parameter.islower():
            return method, f"REST.{method}.{parameter.replace('-', '').upper()}", status
    return method, f"REST.{method}.{'OBJECT' if '{Key' in path else 'BUCKET'}", status
