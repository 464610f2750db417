"""Namespaces of AWS Cloud Map, which services of Service Connect share."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError, Context
from cloudlet.services.ecs import errors

_BLOCK: Final = "servicediscovery"
_LOOK_SECONDS: Final = 0.05
_MAX_LOOKS: Final = 200


class Namespace(NamedTuple):
    """A namespace: its title, and the name by which instances are discovered."""

    id: str
    arn: str
    title: str
    name: str


async def get(ctx: Context, reference: str) -> Namespace:
    """Return a namespace by its name or ARN. Raises NamespaceNotFoundException."""
    found = await _find(ctx, reference)
    if found is None:
        raise errors.NamespaceNotFound
    return found


async def provide(ctx: Context, reference: str) -> Namespace:
    """Return a namespace by its name or ARN. One is created for a name that none has."""
    found = await _find(ctx, reference)
    if found is not None:
        return found
    if reference.startswith("arn:"):
        raise errors.NamespaceNotFound
    try:
        answer = await ctx.call(_BLOCK, "CreateHttpNamespace", {"Name": reference}) or {}
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        raise errors.InvalidParameter(f"The namespace {reference} cannot be created: {error.message}") from None
    for _ in range(_MAX_LOOKS):
        operation = (await ctx.call(_BLOCK, "GetOperation", {"OperationId": answer["OperationId"]}) or {})["Operation"]
        if operation["Status"] in ("SUCCESS", "FAIL"):
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return await get(ctx, reference)


async def _find(ctx: Context, reference: str) -> Namespace | None:
    if not ctx.block.cloud.has(_BLOCK):
        raise errors.NotBuilt("Service Connect without AWS Cloud Map")
    if reference.startswith("arn:"):
        try:
            answer = await ctx.call(_BLOCK, "GetNamespace", {"Id": reference.rpartition("/")[2]}) or {}
        except AwsError as error:
            if error.status is None or error.status >= 500:
                raise
            return None
        return _make(answer["Namespace"])
    filters = [{"Name": "NAME", "Values": [reference], "Condition": "EQ"}]
    listed = (await ctx.call(_BLOCK, "ListNamespaces", {"Filters": filters}) or {})["Namespaces"]
    return _make(listed[0]) if listed else None


def _make(found: dict[str, Any]) -> Namespace:
    name = found["Properties"]["HttpProperties"]["HttpName"]
    return Namespace(found["Id"], found["Arn"], found["Name"], name or found["Name"])
