"""Pages of records, by namespace, resource and dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.application_autoscaling import errors
from cloudlet.services.application_autoscaling.records import Activity, Policy, Records, ScheduledAction, Target

R = TypeVar("R", Target, Policy, ScheduledAction, Activity)


async def list_page(
    ctx: Context,
    tx: Transaction,
    params: Params,
    records: Records[R],
    show: Callable[[R], dict[str, Any] | None],
    max_results: int = 50,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of what a request asks for, and the next page's token. Raises AwsError.

    `show` makes of a record what is shown, if anything.
    """
    limit = params.get("MaxResults") or max_results
    if not 1 <= limit <= max_results:
        raise errors.make_validation(
            f"1 validation error detected: Value '{limit}' at 'maxResults' failed to satisfy constraint: "
            f"Member must have value between 1 and {max_results}, inclusive"
        )
    resource, dimension = params.get("ResourceId"), params.get("ScalableDimension")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = records.decode(raw)
        place = found.place
        if resource not in (None, place.resource) or dimension not in (None, place.dimension):
            return None
        return show(found)

    space = records.space.sub(ctx.account, ctx.region, params["ServiceNamespace"])
    return await listing.list_page(tx, space, params.get("NextToken"), limit, select, errors.make_wrong_token())
