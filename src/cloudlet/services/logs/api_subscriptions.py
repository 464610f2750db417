"""The operations on subscription filters and destinations."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.logs import destination, errors, receivers, subscription, tagging
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.destination import Destination
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.subscription import Subscription

_PAGE = 50


@service.direct("PutSubscriptionFilter")
async def put_subscription_filter(ctx: Context, params: Params) -> Result:
    made = subscription.checked(ctx, params)
    group = await ctx.transact(lambda tx: groups.named(ctx, tx, made.group))
    if params.get("distribution") is not None and ":kinesis:" not in made.destination:
        raise errors.invalid("distribution is only for destinations that are Kinesis streams.")
    await check_destination(ctx, made, f"{group.arn}:*")

    async def put(tx: Transaction) -> None:
        await subscription.put(tx, await groups.named(ctx, tx, made.group), made)

    await ctx.transact(put)
    return None


async def check_destination(ctx: Context, made: Subscription, source_arn: str) -> None:
    """Raise unless a filter can deliver to its destination, which is tried out."""
    if made.destination.split(":")[2:3] == ["logs"]:
        await ctx.transact(lambda tx: _check_logical(ctx, tx, made))
        return
    arn = receivers.parsed(made.destination)
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        raise errors.invalid("The destination must be in the account and the Region of the log group.")
    if arn.service == "lambda":
        if made.role is not None:
            raise errors.invalid("destinationArn for vendor lambda cannot be used with roleArn")
        if made.group and made.group == f"/aws/lambda/{arn.resource.split(':')[1]}":
            raise errors.invalid(
                "The log group provided is reserved for the function logs of the destination function."
            )
    elif made.role is None:
        raise errors.invalid(f"destinationArn for vendor {arn.service} needs roleArn")
    await receivers.test(ctx.block, arn, source_arn)


async def _check_logical(ctx: Context, tx: Transaction, made: Subscription) -> None:
    try:
        arn = Arn.parse(made.destination)
    except ValueError:
        raise errors.invalid(f"The ARN {made.destination} is invalid.") from None
    if not arn.resource.startswith("destination:"):
        raise errors.invalid(f"The ARN {made.destination} is not one of a destination.")
    if arn.region != ctx.region:
        raise errors.invalid("The destination must be in the Region of the log group.")
    found = await destination.of_arn(tx, arn)
    if found is None:
        raise destination.missing()
    destination.authorize(ctx, found)


@service.operation("DescribeSubscriptionFilters")
async def describe_subscription_filters(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    after = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token())
    prefix, most = params.get("filterNamePrefix", ""), params.get("limit", _PAGE)
    found = [one for one in await subscription.of_group(tx, group) if one.name.startswith(prefix) and one.name > after]
    token = page_tokens.make_page_token(found[most - 1].name.encode()) if len(found) > most else None
    return {"subscriptionFilters": [_described(group, one) for one in found[:most]], "nextToken": token}


def _described(group: Group, one: Subscription) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "logGroupName": group.name,
        "filterPattern": one.pattern,
        "destinationArn": one.destination,
        "roleArn": one.role,
        "distribution": one.distribution,
        "applyOnTransformedLogs": False,
        "creationTime": one.created,
    }


@service.operation("DeleteSubscriptionFilter")
async def delete_subscription_filter(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    await subscription.remove(tx, group, params["filterName"])
    return None


# -- destinations


@service.direct("PutDestination")
async def put_destination(ctx: Context, params: Params) -> Result:
    target = receivers.parsed(params["targetArn"])
    if target.service == "lambda":
        raise errors.invalid("The target of a destination is a Kinesis stream or a Firehose stream.")
    if target.account != ctx.account:
        raise errors.invalid("The target of a destination must be in its account.")
    name = params["destinationName"]
    made = Destination(ctx.account, ctx.region, name, str(target), params["roleArn"], int(ctx.now() * 1000))
    made.tags = tagging.merged({}, params.get("tags") or {})
    await receivers.test(ctx.block, target, made.arn)

    async def put(tx: Transaction) -> dict[str, Any]:
        old = await destination.find(tx, ctx.account, ctx.region, name)
        if old is not None:
            made.policy, made.created = old.policy, old.created
            made.tags = tagging.merged(old.tags, made.tags)
        destination.save(tx, made)
        return made.shown()

    return {"destination": await ctx.transact(put)}


@service.operation("PutDestinationPolicy")
async def put_destination_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    made = await destination.find(tx, ctx.account, ctx.region, params["destinationName"])
    if made is None:
        # The operation has no error for what is not there.
        raise errors.invalid("The specified destination does not exist.")
    if params.get("forceUpdate"):
        raise errors.not_built("destination policies for organizations (forceUpdate)")
    made.policy = destination.checked_policy(params["accessPolicy"])
    destination.save(tx, made)
    return None


@service.operation("DescribeDestinations")
async def describe_destinations(ctx: Context, tx: Transaction, params: Params) -> Result:
    after = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token())
    most = params.get("limit", _PAGE)
    found = await destination.page(tx, ctx, params.get("DestinationNamePrefix", ""), after, most + 1)
    token = page_tokens.make_page_token(found[most - 1].name.encode()) if len(found) > most else None
    return {"destinations": [one.shown() for one in found[:most]], "nextToken": token}


@service.operation("DeleteDestination")
async def delete_destination(ctx: Context, tx: Transaction, params: Params) -> Result:
    destination.remove(tx, await destination.named(ctx, tx, params["destinationName"]))
    return None
