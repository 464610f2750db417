"""Files of logs in S3 (user guides, "Access log files" and "Connection log files")."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudlet.core.background.jobs import best_effort
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


@dataclass(slots=True)
class _File:
    """The lines of a load balancer that are not written yet."""

    view: View
    load_balancer: LoadBalancer
    lines: list[str] = field(default_factory=list)
    size: int = 0


class LogFiles:
    """Lines of logs until they are written: each five minutes, as on AWS. A crash loses those that were not."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], _File] = {}

    def add(self, kind: str, view: View, load_balancer: LoadBalancer, line: str) -> bool:
        """Add a line to a log, if there is that; return whether there are many."""
        if not is_wanted(kind, load_balancer):
            return False
        file = self._files.setdefault((kind, load_balancer.arn), _File(view, load_balancer))
        file.view, file.load_balancer = view, load_balancer
        file.lines.append(line)
        file.size += len(line)
        return file.size > MAX_FILE_BYTES

    async def write(self, block: Block) -> None:
        """Write all lines to S3."""
        files, self._files = self._files, {}
        for (kind, arn), file in files.items():
            await best_effort(block, f"a log of {arn}", partial(_put, block, kind, file))


def is_wanted(kind: str, load_balancer: LoadBalancer) -> bool:
    """Whether a load balancer writes a log of a kind."""
    return load_balancer.attributes.get(f"{kind}.s3.enabled") == "true"


async def _put(block: Block, kind: str, file: _File) -> None:
    view, load_balancer = file.view, file.load_balancer
    principal = make_principal("service", view.account, PRINCIPAL, "elbv2", "")
    end = -(-block.clock.now() // PERIOD_SECONDS) * PERIOD_SECONDS
    bucket = load_balancer.attributes[f"{kind}.s3.bucket"]
    params = {
        "Bucket": bucket,
        "Key": make_key(kind, view, load_balancer, end, random_bytes(4).hex()),
        "Body": gzip.compress(_join(file.lines)),
    }
    await block.cloud.call(
        "s3",
        "PutObject",
        params,
        principal=principal,
        account=view.account,
        region=view.region,
        source_arn=load_balancer.arn,
    )


def _join(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def make_key(kind: str, view: View, load_balancer: LoadBalancer, end: float, unique: str) -> str:
    """Return the key of a file whose interval ends at a time."""
    prefix = load_balancer.attributes.get(f"{kind}.s3.prefix", "")
    ended = datetime.fromtimestamp(end, UTC)
    name = get_resource_id(load_balancer.arn).replace("/", ".")
    address = load_balancer.addresses[0] if load_balancer.addresses else load_balancer.machine_address
    begin = "conn_log." if kind == CONNECTIONS else ""
    return (
        f"{prefix}{'/' if prefix else ''}AWSLogs/{view.account}/elasticloadbalancing/{view.region}/"
        f"{ended:%Y/%m/%d}/{begin}{view.account}_elasticloadbalancing_{view.region}_{name}_"
        f"{ended:%Y%m%dT%H%MZ}_{address}_{unique}.log.gz"
    )
