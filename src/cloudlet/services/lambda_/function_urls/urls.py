"""URLs of functions: by which a function, or an alias of it, answers HTTP requests.

Developer guide, "Creating and managing Lambda function URLs".
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.kernel.ids import token
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.functions.function import Place
from cloudlet.services.lambda_.functions.settings import Setting

_ID_CHARACTERS = 32
_PAGE = 100
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_METHODS = frozenset(("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"))


class Cors(msgspec.Struct, frozen=True, kw_only=True):
    """What pages of other origins may do. `max_age` is in seconds."""

    credentials: bool = False
    headers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int = 0


class Url(msgspec.Struct, frozen=True, kw_only=True):
    """The URL of a function or an alias. Times are in seconds since the epoch."""

    id: str
    """The first part of the host's name."""
    auth: str
    """Who may use it: AWS_IAM, whoever signs and is permitted; NONE, whomever the function's policy permits."""
    mode: str = "BUFFERED"
    """Whether an answer goes out as a whole (BUFFERED, or empty: nobody has said) or as it comes (RESPONSE_STREAM)."""
    cors: Cors | None = None
    created: float = 0.0
    modified: float = 0.0


URL = Setting("url", Url)
_BY_ID = Subspace("url")


class _Target(msgspec.Struct, frozen=True, array_like=True):
    place: Place
    qualifier: str


_encode = msgspec.msgpack.Encoder().encode
_target = msgspec.msgpack.Decoder(_Target).decode


def new_id() -> str:
    """Return the id of a URL to be made."""
    return token(_ID_CHARACTERS, _ALPHABET)


async def by_id(tx: Transaction, id: str) -> tuple[FunctionReference, Url] | None:
    """Return the function or alias with a URL, and the URL, None where there is none."""
    raw = await tx.get(_BY_ID.key(id))
    if raw is None:
        return None
    target = _target(raw)
    url = await URL.find(tx, target.place, target.qualifier)
    return None if url is None else (FunctionReference(target.place, target.qualifier or None), url)


def save(tx: Transaction, what: FunctionReference, url: Url) -> None:
    """Keep a URL."""
    URL.save(tx, what.place, what.qualifier or "", url)
    tx.put(_BY_ID.key(url.id), _encode(_Target(what.place, what.qualifier or "")))


async def remove(tx: Transaction, what: FunctionReference) -> None:
    """Delete a URL, if there is one."""
    url = await URL.find(tx, what.place, what.qualifier or "")
    if url is not None:
        URL.remove(tx, what.place, what.qualifier or "")
        tx.delete(_BY_ID.key(url.id))


async def remove_all(tx: Transaction, place: Place) -> None:
    """Delete the URLs of a function and of its aliases."""
    space = URL.of(place)
    while rows := await tx.range(space.begin, space.end, limit=_PAGE):
        for key, _ in rows:
            await remove(tx, FunctionReference(place, space.unpack(key)[0]))


def address(ctx: Context, url: Url) -> str:
    """Return the URL itself: a path on the host by which the caller reaches us, so that it needs no resolver."""
    return f"{ctx.endpoint}/_aws/lambda-url/{url.id}/"


def check_cors(cors: Cors) -> None:
    """Raise AwsError for what no browser could ask for."""
    for method in cors.methods:
        if method not in _METHODS:
            raise errors.constraint(
                f"[{', '.join(cors.methods)}]",
                "cors.allowMethods",
                "Member must satisfy constraint: [Member must satisfy enum value set: "
                "[GET, PUT, HEAD, POST, PATCH, DELETE, *], Member must not be null]",
            )
