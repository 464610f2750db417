"""The use of certificates by custom domain names, of which ACM is told.

A change is written down beside that of the domain name; a job tells of it, however often it has to try.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import Arn
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import watching

_CHANGED = Subspace("certificate-use-changed")
"""Domain names that ACM is to be told of, with ids of changes."""
_TOLD = Subspace("certificate-use-told")
"""The certificate of each domain name that ACM was told of."""
_TOPIC = _CHANGED.prefix
_READ = 100


class Domain(NamedTuple):
    """A custom domain name, and whose it is."""

    account: str
    region: str
    name: str


Find = Callable[[Transaction, Domain], Awaitable["str | None"]]
"""Returns the ARN of the certificate that a domain name has now."""


def enter(tx: Transaction, account: str, region: str, name: str) -> None:
    """Have ACM told of the certificate of a domain name that was changed."""
    tx.put(_CHANGED.key(account, region, name), uuid4().encode())
    tx.notify(_TOPIC)


async def tell(block: Block, lease: Lease, find: Find, make_arn: Callable[[Domain], str]) -> None:
    """Tell ACM of what has changed, for ever. Where there is no ACM, nobody is to be told."""
    async with watching(block, _TOPIC) as changed:
        works = KeyedTasks(block, changed)

        async def list_waiting(tx: Transaction) -> list[Domain]:
            rows = await tx.range(_CHANGED.begin, _CHANGED.end, limit=_READ + len(works))
            return [Domain(*_CHANGED.unpack(key)) for key, _ in rows]

        while True:
            changed.clear()
            waiting = [domain for domain in await block.store.transact(list_waiting) if domain not in works]
            for domain in waiting:
                await lease.hold()
                work = partial(_tell, block, domain, find, make_arn(domain))
                await works.attempt(domain, f"telling ACM of {domain}", work)
            if not waiting:
                await changed.wait()


async def _tell(block: Block, domain: Domain, find: Find, resource: str) -> None:
    async def read(tx: Transaction) -> tuple[bytes | None, str | None, str | None]:
        told = await tx.get(_TOLD.key(*domain))
        change = await tx.get(_CHANGED.key(*domain))
        return change, await find(tx, domain), None if told is None else told.decode()

    change, now, told = await block.store.transact(read)
    if now != told and block.cloud.has("acm"):
        if told is not None:
            await _set_use(block, domain, told, resource, is_used=False)
        if now is not None:
            await _set_use(block, domain, now, resource, is_used=True)

    async def body(tx: Transaction) -> None:
        if await tx.get(_CHANGED.key(*domain)) == change:
            tx.delete(_CHANGED.key(*domain))
        if now is None:
            tx.delete(_TOLD.key(*domain))
        else:
            tx.put(_TOLD.key(*domain), now.encode())

    await block.store.transact(body)


async def _set_use(block: Block, domain: Domain, arn: str, resource: str, *, is_used: bool) -> None:
    """Tell ACM whether a domain name uses a certificate. One that is not there cannot be told of."""
    try:
        region = Arn.parse(arn).region
        params = {"CertificateArn": arn, "ResourceArn": resource, "InUse": is_used}
        await block.call("acm", "SetCertificateUse", params, account=domain.account, region=region)
    except ValueError:
        return
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
