"""Files of logs in S3 (user guides, "Access log files" and "Connection log files").

Lines wait in files of this machine until they are written: each five minutes, as on AWS. A block that was killed finds
them there when it comes back.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudlet.core import AwsError
from cloudlet.core.background.jobs import best_effort
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.elbv2.proxy.access_log import get_resource_id
from cloudlet.services.elbv2.proxy.view import LoadBalancer, View

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

PERIOD_SECONDS: Final = 300
MAX_FILE_BYTES: Final = 4 << 20
"""A file of more lines is written before its time."""
PRINCIPAL: Final = "logdelivery.elasticloadbalancing.amazonaws.com"
ACCESS: Final = "access_logs"
CONNECTIONS: Final = "connection_logs"
_OPEN: Final = ".log"
_CLOSED: Final = ".closed"


class LogFiles:
    """Lines of logs until they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._writing = asyncio.Lock()

    async def add(self, kind: str, view: View, load_balancer: LoadBalancer, lines: Iterable[str]) -> bool:
        """Add lines to a log, if there is that; return whether there are many. Raises OSError."""
        joined = "".join(f"{line}\n" for line in lines) if is_wanted(kind, load_balancer) else ""
        return bool(joined) and await asyncio.to_thread(self._append, kind, view, load_balancer, joined)

    def _append(self, kind: str, view: View, load_balancer: LoadBalancer, lines: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{kind}.{view.account}.{_get_name(load_balancer.arn)}{_OPEN}"
        with self._lock, path.open("a", encoding="utf-8") as file:
            if not file.tell():
                json.dump(_describe(kind, view, load_balancer), file)
                file.write("\n")
            file.write(lines)
            return file.tell() > MAX_FILE_BYTES

    async def write(self, block: Block) -> None:
        """Write all lines to S3."""
        async with self._writing:
            end = -(-block.clock.now() // PERIOD_SECONDS) * PERIOD_SECONDS
            for path in await asyncio.to_thread(self._close, int(end)):
                await best_effort(block, f"the log {path.name}", partial(_send, block, path))

    def _close(self, end: int) -> list[Path]:
        """Return the files to which nothing is added any more."""
        with self._lock:
            for path in self._folder.glob(f"*{_OPEN}"):
                path.rename(path.with_suffix(f".{end}.{random_bytes(4).hex()}{_CLOSED}"))
        return sorted(self._folder.glob(f"*{_CLOSED}"))


def is_wanted(kind: str, load_balancer: LoadBalancer) -> bool:
    """Whether a load balancer writes a log of a kind."""
    return load_balancer.attributes.get(f"{kind}.s3.enabled") == "true"


def _get_name(arn: str) -> str:
    return get_resource_id(arn).replace("/", ".")


def _describe(kind: str, view: View, load_balancer: LoadBalancer) -> dict[str, str]:
    """Return what is known of a log while its load balancer may be gone."""
    return {
        "kind": kind,
        "account": view.account,
        "region": view.region,
        "load_balancer": load_balancer.arn,
        "address": load_balancer.addresses[0] if load_balancer.addresses else load_balancer.machine_address,
        "bucket": load_balancer.attributes[f"{kind}.s3.bucket"],
        "prefix": load_balancer.attributes.get(f"{kind}.s3.prefix", ""),
    }


async def _send(block: Block, path: Path) -> None:
    """Write a file to S3, and delete it, unless S3 is only unavailable now."""
    *_, end, unique, _ = path.name.split(".")
    try:
        described, compressed = await asyncio.to_thread(_read, path)
    except ValueError:
        # A full disk, or a power cut.
        await asyncio.to_thread(path.unlink)
        raise
    account, region, arn = (described[name] for name in ("account", "region", "load_balancer"))
    principal = make_principal("service", account, PRINCIPAL, "elbv2", "")
    params = {"Bucket": described["bucket"], "Key": make_key(described, float(end), unique), "Body": compressed}
    try:
        await block.cloud.call(
            "s3", "PutObject", params, principal=principal, account=account, region=region, source_arn=arn
        )
    except AwsError as error:
        if not is_transient(error.code, error.status):
            await asyncio.to_thread(path.unlink)
        raise
    await asyncio.to_thread(path.unlink)


def _read(path: Path) -> tuple[dict[str, str], bytes]:
    """Return what is known of a log, and its lines compressed."""
    head, _, lines = path.read_bytes().partition(b"\n")
    return json.loads(head), gzip.compress(lines)


def make_key(described: dict[str, str], end: float, unique: str) -> str:
    """Return the key of a file whose interval ends at a time."""
    account, region, prefix = (described[name] for name in ("account", "region", "prefix"))
    ended = datetime.fromtimestamp(end, UTC)
    begin = "conn_log." if described["kind"] == CONNECTIONS else ""
    return (
        f"{prefix}{'/' if prefix else ''}AWSLogs/{account}/elasticloadbalancing/{region}/"
        f"{ended:%Y/%m/%d}/{begin}{account}_elasticloadbalancing_{region}_{_get_name(described['load_balancer'])}_"
        f"{ended:%Y%m%dT%H%MZ}_{described['address']}_{unique}.log.gz"
    )
