"""What is stored of APIs: documents with the members of AWS's shapes, and the place of each API.

An API is a document; what it is made of (routes, integrations, …) are parts of it. Each change of one tells all
processes, which have the API compiled (`compiling`), that it is another one now.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.kernel import ids
from cloudlet.services.apigateway import errors
from cloudlet.store import pack

Document = dict[str, Any]
"""A resource with the members that AWS's shape of it has; times are seconds since the epoch."""

MOST_PARTS = 1000
"""Of one type in an API; AWS's quotas are below it ("Quotas for configuring and running an HTTP API")."""
_ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Whose an API is, and which of API Gateway's types of API it is: HTTP, WEBSOCKET or REST."""

    account: str
    region: str
    protocol: str


_PLACES = Subspace("place")
_APIS = Subspace("api")
_PARTS = Subspace("part")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_place = msgspec.msgpack.Decoder(Place).decode


def fresh_id(size: int) -> str:
    """Return an id in API Gateway's form."""
    return ids.token(size, _ID_CHARACTERS)


def topic(api_id: str) -> bytes:
    """What is notified when an API changes."""
    return pack(("api-changed", api_id))


def changed(tx: Transaction, api_id: str) -> None:
    """Tell all who have compiled an API that it has changed."""
    tx.notify(topic(api_id))


async def place_of(tx: Transaction, api_id: str) -> Place | None:
    """Return whose an API of any type is."""
    raw = await tx.get(_PLACES.key(api_id))
    return None if raw is None else _decode_place(raw)


def settle(tx: Transaction, api_id: str, place: Place) -> None:
    """Note whose a new API is."""
    tx.put(_PLACES.key(api_id), _encode(place))


def unsettle(tx: Transaction, api_id: str) -> None:
    """Forget an API that is deleted."""
    tx.delete(_PLACES.key(api_id))
    changed(tx, api_id)


def apis_of(account: str, region: str) -> Subspace:
    """The HTTP and WebSocket APIs of an account in a region, by id."""
    return _APIS.sub(account, region)


async def find_api(tx: Transaction, place: Place, api_id: str) -> Document | None:
    raw = await tx.get(apis_of(place.account, place.region).key(api_id))
    return None if raw is None else decode(raw)


async def get_api(ctx: Context, tx: Transaction, api_id: str) -> Document:
    """Return an HTTP or WebSocket API of the caller's. Raises NotFoundException."""
    raw = await tx.get(apis_of(ctx.account, ctx.region).key(api_id))
    if raw is None:
        raise errors.no_such("API", f"{ctx.account}:{api_id}")
    return decode(raw)


def save_api(tx: Transaction, account: str, region: str, api: Document) -> None:
    tx.put(apis_of(account, region).key(api["ApiId"]), _encode(api))
    changed(tx, api["ApiId"])


def remove_api(tx: Transaction, account: str, region: str, api_id: str) -> None:
    """Delete an API with all that it is made of."""
    tx.delete(apis_of(account, region).key(api_id))
    parts = _PARTS.sub(api_id)
    tx.delete_range(parts.begin, parts.end)
    unsettle(tx, api_id)


def parts_of(api_id: str, kind: str, *parents: str) -> Subspace:
    """The parts of one kind of an API, by id; `parents` are the ids of what they belong to within it."""
    return _PARTS.sub(api_id, kind, *parents)


async def find_part(tx: Transaction, api_id: str, kind: str, *path: str) -> Document | None:
    """Return a part by its id, and those of what it belongs to before it."""
    *parents, id = path
    raw = await tx.get(parts_of(api_id, kind, *parents).key(id))
    return None if raw is None else decode(raw)


def save_part(tx: Transaction, api_id: str, kind: str, *path: str, part: Document) -> None:
    *parents, id = path
    tx.put(parts_of(api_id, kind, *parents).key(id), _encode(part))
    changed(tx, api_id)


def remove_part(tx: Transaction, api_id: str, kind: str, *path: str) -> None:
    """Delete a part, and the parts named in `path` alone: what belongs to it is deleted by `remove_parts`."""
    *parents, id = path
    tx.delete(parts_of(api_id, kind, *parents).key(id))
    changed(tx, api_id)


def remove_parts(tx: Transaction, api_id: str, kind: str, *parents: str) -> None:
    """Delete all parts of one kind."""
    space = parts_of(api_id, kind, *parents)
    tx.delete_range(space.begin, space.end)
    changed(tx, api_id)


async def all_parts(tx: Transaction, api_id: str, kind: str, *parents: str) -> list[Document]:
    """Return the parts of one kind, in the order of their ids; those that belong to any part where it is not said."""
    space = parts_of(api_id, kind, *parents)
    rows = await tx.range(space.begin, space.end, limit=20 * MOST_PARTS)
    return [decode(raw) for _, raw in rows]


async def parts_with(tx: Transaction, api_id: str, kind: str, member: str, value: str) -> list[Document]:
    """Return the parts of one kind of which a member has a value."""
    space = parts_of(api_id, kind)
    # As it stands in each of them, behind the head of the map: to decode all would take long where many are made.
    written = _encode({member: value})[1:]
    rows = await tx.range(space.begin, space.end, limit=20 * MOST_PARTS)
    found = (decode(raw) for _, raw in rows if written in raw)
    return [part for part in found if part.get(member) == value]


def encode(document: Document) -> bytes:
    return _encode(document)


def decode(raw: bytes) -> Document:
    return _decode(raw)  # type: ignore[no-any-return]
