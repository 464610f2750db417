"""The use of certificates by load balancers, of which ACM is told.

A certificate in use is not deleted.
"""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import arns, storing
from cloudlet.services.elbv2.listener_record import Listener

_TOLD: Final = Subspace("certificate-use")
"""The certificates that ACM was told of, by load balancer."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[str]).decode


def request(tx: Transaction, listener: Listener) -> None:
    """Have ACM told of the certificates of the load balancer that a listener belongs to."""
    RECONCILER.request(tx, listener.account, listener.region, arns.get_load_balancer_name(listener.name))


async def _reconcile(block: Block, key: Key) -> float | None:
    if not block.cloud.has("acm"):
        return None
    account, region, name = key
    told, used = await block.store.transact(lambda tx: _read(tx, account, region, name))
    resource = arns.make_arn(arns.LOAD_BALANCER, account, region, name)
    for arn in sorted(told ^ used):
        params = {"CertificateArn": arn, "ResourceArn": resource, "InUse": arn in used}
        try:
            await block.call("acm", "SetCertificateUse", params, account=account, region=region)
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise

    async def save(tx: Transaction) -> None:
        if used:
            tx.put(_TOLD.key(account, region, name), _encode(sorted(used)))
        else:
            tx.delete(_TOLD.key(account, region, name))

    await block.store.transact(save)
    return None


async def _read(tx: Transaction, account: str, region: str, name: str) -> tuple[set[str], set[str]]:
    raw = await tx.get(_TOLD.key(account, region, name))
    found = await storing.LOAD_BALANCERS.find(tx, account, region, name)
    listeners = [] if found is None else await storing.list_listeners(tx, found)
    used = {arn for each in listeners for arn in (each.certificate, *each.certificates) if ":acm:" in arn}
    return set() if raw is None else set(_decode(raw)), used


RECONCILER: Final = Reconciler("report-certificate-use", _reconcile)
