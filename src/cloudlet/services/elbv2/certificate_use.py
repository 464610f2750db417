"""The use of certificates by load balancers, of which ACM is told.

A certificate in use is not deleted. One that was renewed or imported again is served within a minute.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.jobs import best_effort
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import sleep_until
from cloudlet.services.elbv2 import arns, network_changes, storing
from cloudlet.services.elbv2.listener_record import Listener

_TOLD: Final = Subspace("certificate-use")
"""The certificates that ACM was told of, with their versions, by load balancer."""
_LOOK_SECONDS: Final = 60
_READ: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, str]).decode


def request(tx: Transaction, listener: Listener) -> None:
    """Have ACM told of the certificates of the load balancer that a listener belongs to."""
    RECONCILER.request(tx, listener.account, listener.region, arns.get_load_balancer_name(listener.name))


async def _reconcile(block: Block, key: Key) -> float | None:
    if not block.cloud.has("acm"):
        return None
    account, region, name = key
    told, used = await block.store.transact(lambda tx: _read(tx, account, region, name))
    resource = arns.make_arn(arns.LOAD_BALANCER, account, region, name)
    for arn in sorted(told.keys() ^ used):
        params = {"CertificateArn": arn, "ResourceArn": resource, "InUse": arn in used}
        try:
            await block.call("acm", "SetCertificateUse", params, account=account, region=region)
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise

    await block.store.transact(lambda tx: _save(tx, key, {arn: told.get(arn, "") for arn in sorted(used)}))
    return None


async def _save(tx: Transaction, key: Key, told: dict[str, str]) -> None:
    if told:
        tx.put(_TOLD.key(*key), _encode(told))
    else:
        tx.delete(_TOLD.key(*key))


async def _read(tx: Transaction, account: str, region: str, name: str) -> tuple[dict[str, str], set[str]]:
    raw = await tx.get(_TOLD.key(account, region, name))
    found = await storing.LOAD_BALANCERS.find(tx, account, region, name)
    listeners = [] if found is None else await storing.list_listeners(tx, found)
    used = {arn for each in listeners for arn in (each.certificate, *each.certificates) if ":acm:" in arn}
    return {} if raw is None else _decode(raw), used


RECONCILER: Final = Reconciler("report-certificate-use", _reconcile)


async def refresh(block: Block, lease: Lease) -> None:
    """Have load balancers served anew whose certificates were renewed, for ever."""
    while True:
        await sleep_until(block, block.clock.now() + _LOOK_SECONDS)
        begin = _TOLD.begin
        while block.cloud.has("acm"):
            await lease.hold()
            rows = await block.store.transact(lambda tx: tx.range(begin, _TOLD.end, limit=_READ))  # noqa: B023
            for row, raw in rows:
                key = _TOLD.unpack(row)
                await best_effort(block, f"renewed certificates of {key}", partial(_refresh, block, key, _decode(raw)))
            if len(rows) < _READ:
                break
            begin = rows[-1][0] + b"\x00"


async def _refresh(block: Block, key: Key, told: dict[str, str]) -> None:
    account, region, name = key
    versions = dict(told)
    for arn, version in told.items():
        params = {"CertificateArn": arn, **({"KnownVersion": version} if version else {})}
        answer = await block.call("acm", "ResolveCertificate", params, account=account, region=region) or {}
        versions[arn] = answer.get("Version", version)
    if versions == told:
        return

    async def record(tx: Transaction) -> None:
        now, _ = await _read(tx, account, region, name)
        await _save(tx, key, {arn: versions.get(arn, version) for arn, version in now.items()})
        found = await storing.LOAD_BALANCERS.find(tx, account, region, name)
        if found is not None:
            network_changes.request(tx, account, region, found.vpc)

    await block.store.transact(record)
