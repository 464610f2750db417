"""The operations on tags."""

from __future__ import annotations

from functools import partial

from cloudlet.core import Arn, Context, Params, Transaction
from cloudlet.core.authorization import catalog
from cloudlet.core.authorization.condition_keys import list_request_keys
from cloudlet.core.aws import tag_operations
from cloudlet.services.events import access, bus, bus_record, errors, rule
from cloudlet.services.events.block import service
from cloudlet.services.events.bus_record import Place


async def _check_resource(ctx: Context, tx: Transaction, text: str) -> None:
    """Raise AwsError for an ARN of nothing that can have tags here."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid.") from None
    kind, _, path = arn.resource.partition("/")
    if (arn.service, arn.account, arn.region) != ("events", ctx.account, ctx.region) or not path:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid.")
    if kind == "rule":
        of, _, name = path.rpartition("/")
        await rule.get(tx, Place(ctx.account, ctx.region, of or bus_record.DEFAULT), name)
    elif kind == "event-bus":
        await bus.get(tx, Place(ctx.account, ctx.region, path))
    else:
        raise errors.validation(f"Parameter ResourceARN {text} is not valid: only rules and event buses have tags.")


async def _authorize(ctx: Context, tx: Transaction, operation: str, resource: str, params: Params) -> None:
    kind, _, path = Arn.parse(resource).resource.partition("/")
    name = path if kind == "event-bus" else path.rpartition("/")[0] or bus_record.DEFAULT
    of = await bus.get(tx, Place(ctx.account, ctx.region, name))
    permission = catalog.find("events", operation)
    make_keys = partial(list_request_keys, permission, params)
    await access.authorize(ctx, tx, of, operation, arn=resource, make_keys=make_keys)


tag_operations.declare(service, _check_resource, errors.validation, authorize=_authorize)
