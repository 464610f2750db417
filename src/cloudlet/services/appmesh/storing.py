"""Resources as they are stored, and what refers to them.

Each reference is a row of its own, so that one look says whether a resource can be deleted.
"""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.appmesh import errors
from cloudlet.services.appmesh.kinds import KINDS, MESH, Kind
from cloudlet.services.appmesh.resource_record import Place, Resource

RESOURCES: Final = Subspace("resource")
"""By account, region, mesh, title of the kind, owner and name."""
_REFERENCES: Final = Subspace("reference")
"""By account, region, mesh, title and name of the target.

Then follow title, owner and name of what refers to it.
"""

_encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Resource).decode


def make_topic(account: str, region: str, mesh: str) -> bytes:
    """Return the topic that is notified when anything in a mesh changes."""
    return RESOURCES.key(account, region, mesh)


def make_place(ctx: Context, kind: Kind, mesh: str, owner: str, name: str) -> Place:
    """Return the key of a resource of the caller's."""
    return Place(ctx.account, ctx.region, "" if kind is MESH else mesh, kind.title, owner, name)


def _make_key(place: Place) -> bytes:
    return RESOURCES.key(place.account, place.region, place.mesh, place.kind, place.owner, place.name)


async def find(tx: Transaction, place: Place) -> Resource | None:
    """Return a resource, or None where there is none."""
    raw = await tx.get(_make_key(place))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, place: Place) -> Resource:
    """Return a resource. Raises NotFound."""
    found = await find(tx, place)
    if found is None:
        raise errors.NotFound(_describe_absence(place), place.account)
    return found


def describe(place: Place) -> str:
    """Return how messages name a resource."""
    return f"{place.kind} with name {place.name}"


def _describe_absence(place: Place) -> str:
    if not place.mesh:
        return f"{describe(place)} is not present"
    owner = f" of {KINDS[place.kind].owner} {place.owner}" if place.owner else ""
    return f"{describe(place)}{owner} is not present under mesh {place.mesh}"


async def list_resources(
    tx: Transaction, place: Place, kind: Kind, owner: str = "", limit: int = 10_000
) -> list[Resource]:
    """Return the resources of a kind in the mesh of a place.

    Those that belong to a router or gateway are listed by it.
    """
    space = RESOURCES.sub(place.account, place.region, place.mesh, kind.title, owner)
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=limit)]


async def has_any(tx: Transaction, place: Place, kind: Kind, owner: str = "") -> bool:
    """Whether there is a resource of a kind in the mesh of a place."""
    return bool(await list_resources(tx, place, kind, owner, limit=1))


async def list_referrers(tx: Transaction, place: Place) -> list[Place]:
    """Return what refers to a resource."""
    space = _REFERENCES.sub(place.account, place.region, place.mesh, place.kind, place.name)
    rows = await tx.range(space.begin, space.end, limit=10_000)
    return [Place(place.account, place.region, place.mesh, *space.unpack(key)) for key, _ in rows]


def save(tx: Transaction, resource: Resource, before: Resource | None) -> None:
    """Write a resource and its references in the place of what it was before."""
    place = resource.place
    _move_references(tx, place, before, resource)
    tx.put(_make_key(place), _encode(resource))
    _notify(tx, place)


def remove(tx: Transaction, resource: Resource) -> None:
    """Delete a resource and its references."""
    _move_references(tx, resource.place, resource, None)
    tx.delete(_make_key(resource.place))
    _notify(tx, resource.place)


def _notify(tx: Transaction, place: Place) -> None:
    tx.notify(make_topic(place.account, place.region, place.mesh or place.name))


def _move_references(tx: Transaction, place: Place, before: Resource | None, after: Resource | None) -> None:
    list_references = KINDS[place.kind].list_references
    old = set() if before is None else set(list_references(before.spec))
    new = set() if after is None else set(list_references(after.spec))
    for title, name in old - new:
        tx.delete(_make_reference(place, title, name))
    for title, name in new - old:
        tx.put(_make_reference(place, title, name), b"")


def _make_reference(place: Place, title: str, name: str) -> bytes:
    return _REFERENCES.key(place.account, place.region, place.mesh, title, name, place.kind, place.owner, place.name)
