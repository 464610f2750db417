"""The operation on capacity providers: there are those of Fargate, which nobody makes."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ecs import arns, capacity, clusters, errors
from cloudlet.services.ecs.block import service

_MAX_DESCRIBED_ITEMS: Final = 100
_MAX_PAGE_ITEMS: Final = 10


@service.operation("DescribeCapacityProviders")
async def describe_capacity_providers(ctx: Context, tx: Transaction, params: Params) -> Result:
    names: list[str] = params.get("capacityProviders") or [*capacity.PROVIDERS]
    if len(names) > _MAX_DESCRIBED_ITEMS:
        raise errors.InvalidParameter(f"Capacity providers can have at most {_MAX_DESCRIBED_ITEMS} items.")
    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    if params.get("cluster"):
        cluster = await clusters.get(tx, ctx.account, ctx.region, params["cluster"])
        names = [name for name in names if name in cluster.capacity_providers]
    begin = _read_token(params.get("nextToken"))
    end = begin + limit
    found, failures = [], []
    for reference in names[begin:end]:
        described = _describe(ctx, reference)
        if described is None:
            is_name = not reference.startswith("arn:")
            arn = arns.make_arn(ctx.region, ctx.account, "capacity-provider", reference) if is_name else reference
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(described)
    token = str(end) if end < len(names) else None
    return {"capacityProviders": found, "failures": failures, "nextToken": token}


def _describe(ctx: Context, reference: str) -> dict[str, Any] | None:
    """Return a capacity provider by its name or ARN. Nobody can tag those of Fargate."""
    name = "/".join(arns.parse_names("capacity-provider", reference, ctx.account, ctx.region))
    if name not in capacity.PROVIDERS:
        return None
    arn = arns.make_arn(ctx.region, ctx.account, "capacity-provider", name)
    return {"capacityProviderArn": arn, "name": name, "status": "ACTIVE", "type": name, "tags": []}


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    if not token.isdecimal() or len(token) > 2:
        raise errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    return int(token)
