"""VPC links. They are kept, but there are no load balancers behind them yet: what goes through one is answered 503."""

from __future__ import annotations

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, decode, encode

MOST = 10
NO_LOAD_BALANCERS = "Cloudlet has no load balancers yet that a VPC link could lead to"
_LINKS = Subspace("link")


def of_account(account: str, region: str) -> Subspace:
    return _LINKS.sub(account, region)


async def get(ctx: Context, tx: Transaction, id: str) -> Document:
    """Return a VPC link of the caller's. Raises NotFoundException."""
    raw = await tx.get(of_account(ctx.account, ctx.region).key(id))
    if raw is None:
        raise errors.no_such("VpcLink", id)
    return decode(raw)


def save(ctx: Context, tx: Transaction, link: Document) -> None:
    tx.put(of_account(ctx.account, ctx.region).key(link["VpcLinkId"]), encode(link))


def remove(ctx: Context, tx: Transaction, id: str) -> None:
    tx.delete(of_account(ctx.account, ctx.region).key(id))
