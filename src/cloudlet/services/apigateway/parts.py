"""The five operations that each kind of part of an API has: create, get, list, update, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.apigateway import deploying, errors, listing, merging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import (
    MOST_PARTS,
    Document,
    find_part,
    fresh_id,
    get_api,
    parts_of,
    remove_part,
    save_part,
)
from cloudlet.services.apigateway.verdicts import Verdicts

Check = Callable[[Context, Transaction, Document, Document], Awaitable[Document]]
"""Takes the API and the part as it is to be; returns it as it is kept. Raises AwsError."""
Removal = Callable[[Transaction, Document, Document], Awaitable[None]]


async def _nothing_else(tx: Transaction, api: Document, part: Document) -> None:
    return None


@dataclass(frozen=True)
class Kind:
    """A kind of part, such as "Route". `members` are those that a request sets, `maps` are merged in updates."""

    name: str
    members: tuple[str, ...]
    check: Check
    maps: tuple[str, ...] = ()
    parent: Kind | None = None
    remove: Removal = _nothing_else
    """Looks whether a part may go, and takes along what belongs to it. Raises AwsError."""
    most: int = MOST_PARTS
    verdicts: Verdicts | None = None
    """Those on texts that it has, where these may take long to read."""

    @property
    def id(self) -> str:
        """The member that holds its id."""
        return f"{self.name}Id"

    def parents(self, params: Params) -> tuple[str, ...]:
        """Return the ids of what it belongs to in an API."""
        return () if self.parent is None else (params[self.parent.id],)


async def _checked_api(ctx: Context, tx: Transaction, kind: Kind, params: Params) -> Document:
    """Return the API that a request is about, with the parent that it names. Raises NotFoundException."""
    api = await get_api(ctx, tx, params["ApiId"])
    if kind.parent is not None:
        await get(tx, kind.parent, api, params[kind.parent.id])
    return api


async def get(tx: Transaction, kind: Kind, api: Document, *path: str) -> Document:
    """Return a part of an API. Raises NotFoundException."""
    found = await find_part(tx, api["ApiId"], kind.name, *path)
    if found is None:
        raise errors.no_such(kind.name, path[-1])
    return found


def too_many(kind: Kind) -> AwsError:
    """An API may have no more parts of a kind."""
    return errors.too_many(f"Maximum number of {kind.name}s for this API has been reached.")


async def create(
    ctx: Context, tx: Transaction, kind: Kind, api: Document, params: Params, *, has_room: bool = False
) -> Document:
    """Add a part to an API; `has_room`: it is known that it may have one more. Raises AwsError."""
    parents = kind.parents(params)
    api_id = api["ApiId"]
    space = parts_of(api_id, kind.name, *parents)
    if not has_room and len(await tx.range(space.begin, space.end, limit=kind.most)) == kind.most:
        raise too_many(kind)
    part = merging.given(params, kind.members)
    part[kind.id] = fresh_id(7)
    if kind.parent is not None:
        part[kind.parent.id] = parents[0]
    part = await kind.check(ctx, tx, api, part)
    save_part(tx, api_id, kind.name, *parents, part[kind.id], part=part)
    return part


def to_api(kind: Kind, part: Document) -> Document:
    """Return a part as answers have it: without the ids of what it belongs to."""
    return part if kind.parent is None else {key: value for key, value in part.items() if key != kind.parent.id}


def declare(kind: Kind) -> None:
    """Declare the operations on a kind of part."""
    name = kind.name
    changing = service.operation if kind.verdicts is None else kind.verdicts.operation

    @changing(f"apigatewayv2:Create{name}")
    async def create_part(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await _checked_api(ctx, tx, kind, params)
        part = await create(ctx, tx, kind, api, params)
        await deploying.follow(ctx, tx, api)
        return to_api(kind, part)

    @service.operation(f"apigatewayv2:Get{name}")
    async def get_part(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await _checked_api(ctx, tx, kind, params)
        return to_api(kind, await get(tx, kind, api, *kind.parents(params), params[kind.id]))

    @service.operation(f"apigatewayv2:Get{name}s")
    async def get_parts(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await _checked_api(ctx, tx, kind, params)
        space = parts_of(api["ApiId"], name, *kind.parents(params))
        return await listing.page(tx, space, params, lambda part: to_api(kind, part))

    @changing(f"apigatewayv2:Update{name}")
    async def update_part(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await _checked_api(ctx, tx, kind, params)
        path = (*kind.parents(params), params[kind.id])
        known = await get(tx, kind, api, *path)
        part = await kind.check(ctx, tx, api, merging.merged(known, params, kind.members, kind.maps))
        save_part(tx, api["ApiId"], name, *path, part=part)
        await deploying.follow(ctx, tx, api)
        return to_api(kind, part)

    @service.operation(f"apigatewayv2:Delete{name}")
    async def delete_part(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await _checked_api(ctx, tx, kind, params)
        path = (*kind.parents(params), params[kind.id])
        part = await get(tx, kind, api, *path)
        await kind.remove(tx, api, part)
        remove_part(tx, api["ApiId"], name, *path)
        await deploying.follow(ctx, tx, api)
        return {}
