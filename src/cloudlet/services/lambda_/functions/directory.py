"""Where functions, versions and aliases are kept, and how requests name them."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import claims
from cloudlet.services.lambda_.functions import interfaces
from cloudlet.services.lambda_.functions.function import LATEST, UPDATING, Alias, Function, Place, Version

_NAMED = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*):lambda:)?(?:(?P<region>[a-z]+(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?",
    re.ASCII,
)
_NAME_CHARACTERS = 64
_FUNCTIONS = Subspace("function")
_VERSIONS = Subspace("version")
_FORMER = Subspace("former-version")
"""What `$LATEST` was before the update that is in progress."""
_ALIASES = Subspace("alias")
_LAST_NUMBERS = Subspace("last-version")
_CODE_BYTES = Subspace("code-bytes")
_COUNTS = Subspace("functions")
REPLACED = b"replaced"
"""The topic of versions that are deleted, or were changed."""
_encode = msgspec.msgpack.Encoder().encode
_function = msgspec.msgpack.Decoder(Function).decode
_version = msgspec.msgpack.Decoder(Version).decode
_alias = msgspec.msgpack.Decoder(Alias).decode


class FunctionReference(NamedTuple):
    """What a request names: a function, or a version or an alias of it."""

    place: Place
    qualifier: str | None

    @property
    def arn(self) -> str:
        return self.place.qualified(self.qualifier)


class Resolved(NamedTuple):
    """A version, and the alias by which it was named, if it was."""

    version: Version
    alias: Alias | None

    @property
    def qualifier(self) -> str:
        """The name that it goes by: the alias's, or the version's."""
        return self.version.version if self.alias is None else self.alias.name


def named(ctx: Context, text: str, qualifier: str | None = None) -> FunctionReference:
    """Return what is named by a name, a part of an ARN or an ARN, and by a qualifier. Raises AwsError.

    API reference, "FunctionName": `name`, `account:function:name`, and the ARN, each with `:qualifier` or without.
    """
    return parse(text, ctx.account, ctx.region, qualifier)


def parse(text: str, account: str, region: str, qualifier: str | None = None) -> FunctionReference:
    """Return what is named in an account and a region. Raises AwsError."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise errors.invalid(f"Invalid function name: {text}")
    if match["region"] not in (None, region):
        raise errors.not_found(f"Functions from '{match['region']}' are not reachable in this region ('{region}')")
    if qualifier and match["qualifier"] not in (None, qualifier):
        raise errors.invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return FunctionReference(Place(match["account"] or account, region, match["name"]), qualifier or match["qualifier"])


def check_name(name: str) -> None:
    """Raise AwsError for a name that no function may be given; none that is asked for has it."""
    if len(name) > _NAME_CHARACTERS:
        raise errors.constraint(
            name, "functionName", f"Member must have length less than or equal to {_NAME_CHARACTERS}"
        )


def function_only(what: FunctionReference) -> FunctionReference:
    """Return what is named, which must be a function, or its `$LATEST`. Raises AwsError."""
    if what.qualifier not in (None, LATEST):
        raise errors.invalid(f"This operation is not permitted on a published version or an alias: {what.arn}")
    return FunctionReference(what.place, None)


def is_number(qualifier: str) -> bool:
    """Whether a qualifier is that of a published version."""
    return qualifier.isascii() and qualifier.isdecimal()


def _key(place: Place) -> tuple[str, str, str]:
    return place.account, place.region, place.name


async def find_function(tx: Transaction, place: Place) -> Function | None:
    """Return what is kept of a function as a whole, None where there is no such function."""
    raw = await tx.get(_FUNCTIONS.key(*_key(place)))
    return None if raw is None else _function(raw)


async def function(tx: Transaction, place: Place) -> Function:
    """Return what is kept of a function as a whole. Raises AwsError."""
    found = await find_function(tx, place)
    if found is None:
        raise errors.no_such_function(place.arn)
    return found


async def find_version(tx: Transaction, place: Place, number: int) -> Version | None:
    """Return a version, `$LATEST` for 0; None where there is none."""
    raw = await tx.get(_VERSIONS.key(*_key(place), number))
    return None if raw is None else _version(raw)


async def latest(tx: Transaction, place: Place) -> Version:
    """Return a function's `$LATEST`. Raises AwsError."""
    found = await find_version(tx, place, 0)
    if found is None:
        raise errors.no_such_function(place.arn)
    return found


async def find_alias(tx: Transaction, place: Place, name: str) -> Alias | None:
    """Return an alias, None where there is none."""
    raw = await tx.get(_ALIASES.key(*_key(place), name))
    return None if raw is None else _alias(raw)


async def resolve(tx: Transaction, what: FunctionReference) -> Resolved:
    """Return the version that is named; of an alias with weights, the one that is not additional. Raises AwsError."""
    qualifier = what.qualifier or LATEST
    if qualifier == LATEST:
        version, alias = await find_version(tx, what.place, 0), None
    elif is_number(qualifier):
        version, alias = await find_version(tx, what.place, _number(qualifier)), None
    else:
        alias = await find_alias(tx, what.place, qualifier)
        version = None if alias is None else await find_version(tx, what.place, _number(alias.version))
    if version is None:
        raise errors.no_such_function(what.arn)
    return Resolved(version, alias)


async def choose(tx: Transaction, what: FunctionReference) -> Resolved:
    """Return the version that an invocation goes to: of an alias with weights, one of its versions by lot.

    Raises AwsError.
    """
    found = await resolve(tx, what)
    if found.alias is not None and found.alias.weights:
        lot = int.from_bytes(random_bytes(7)) / (1 << 56)
        for number, weight in found.alias.weights.items():
            if lot < weight:
                other = await find_version(tx, what.place, _number(number))
                found = found if other is None else Resolved(other, found.alias)
                break
            lot -= weight
    return found._replace(version=await _serving(tx, found.version))


async def _serving(tx: Transaction, version: Version) -> Version:
    """Return what serves in a version's place: while that is updated, what it was before."""
    raw = await tx.get(_FORMER.key(*_key(version.place))) if version.last_update == UPDATING else None
    return version if raw is None else _version(raw)


async def revisions(tx: Transaction, version: Version) -> set[str]:
    """Return the revisions of a version that serve, or soon will; none where it is deleted."""
    found = await find_version(tx, version.place, version.number)
    return set() if found is None else {found.revision, (await _serving(tx, found)).revision}


async def keep_former(tx: Transaction, version: Version, now: float) -> None:
    """Have a `$LATEST` serve until the update that takes its place has succeeded, or for good where it fails."""
    # An older Cloudlet may have finished an update, which knows nothing of this.
    await take_former(tx, version.place, now)
    await claims.change(tx, _former_user(version), (), version.codes, now)
    await interfaces.change(tx, _former_user(version), None, version)
    tx.put(_FORMER.key(*_key(version.place)), _encode(version))


async def take_former(tx: Transaction, place: Place, now: float) -> Version | None:
    """Return what a `$LATEST` was before it was updated, which it keeps no more; None where it was not."""
    key = _FORMER.key(*_key(place))
    raw = await tx.get(key)
    if raw is None:
        return None
    version = _version(raw)
    tx.delete(key)
    await claims.change(tx, _former_user(version), version.codes, (), now)
    await interfaces.change(tx, _former_user(version), version, None)
    return version


def _former_user(version: Version) -> str:
    return f"{version.arn}, before its update"


def _number(version: str) -> int:
    """Return the number of a version, 0 for `$LATEST`, and for what is out of all bounds one that no version has."""
    if version == LATEST:
        return 0
    return int(version) if len(version) <= 18 and int(version) else -1


def add_function(tx: Transaction, function: Function) -> None:
    """Keep what is of a function as a whole that was not there before."""
    tx.add(_COUNTS.key(function.place.account, function.place.region), 1)
    save_function(tx, function)


async def count(tx: Transaction, account: str, region: str) -> int:
    """Return how many functions an account has."""
    return await tx.counter(_COUNTS.key(account, region))


def save_function(tx: Transaction, function: Function) -> None:
    """Keep what is of a function as a whole."""
    tx.put(_FUNCTIONS.key(*_key(function.place)), _encode(function))


async def save_version(tx: Transaction, version: Version, now: float) -> None:
    """Keep a version, and its claim to its code, in place of what it was."""
    before = await find_version(tx, version.place, version.number)
    await _account_for(tx, before, version, now)
    tx.put(_VERSIONS.key(*_key(version.place), version.number), _encode(version))


async def remove_version(tx: Transaction, version: Version, now: float) -> None:
    """Delete a version."""
    await _account_for(tx, version, None, now)
    tx.delete(_VERSIONS.key(*_key(version.place), version.number))


async def _account_for(tx: Transaction, before: Version | None, after: Version | None, now: float) -> None:
    user = (before or after).arn  # type: ignore[union-attr]
    old = frozenset() if before is None else before.codes
    new = frozenset() if after is None else after.codes
    await claims.change(tx, user, old, new, now)
    await interfaces.change(tx, user, before, after)
    grown = (0 if after is None else after.package.size) - (0 if before is None else before.package.size)
    place = (before or after).place  # type: ignore[union-attr]
    if grown:
        tx.add(_CODE_BYTES.key(place.account, place.region), grown)


async def code_bytes(tx: Transaction, account: str, region: str) -> int:
    """Return how large all code of an account is, that of layers too."""
    return await tx.counter(_CODE_BYTES.key(account, region))


def add_code_bytes(tx: Transaction, account: str, region: str, size: int) -> None:
    """Note that there is more code, or less: a layer's."""
    tx.add(_CODE_BYTES.key(account, region), size)


async def next_number(tx: Transaction, place: Place) -> int:
    """Return the number of a version to be published: none is given twice, also where a function is created anew."""
    key = _LAST_NUMBERS.key(*_key(place))
    raw = await tx.get(key)
    number = (0 if raw is None else int(raw)) + 1
    tx.put(key, str(number).encode())
    return number


async def last_published(tx: Transaction, place: Place) -> Version | None:
    """Return the version that was published last, of those that there are."""
    space = versions_of(place)
    rows = await tx.range(space.key(1), space.end, limit=1, reverse=True)
    return _version(rows[0][1]) if rows else None


def save_alias(tx: Transaction, alias: Alias) -> None:
    """Keep an alias."""
    tx.put(_ALIASES.key(*_key(alias.place), alias.name), _encode(alias))


def remove_alias(tx: Transaction, alias: Alias) -> None:
    """Delete an alias."""
    tx.delete(_ALIASES.key(*_key(alias.place), alias.name))


def remove_function(tx: Transaction, place: Place) -> None:
    """Delete what is kept of a function as a whole; its versions and aliases have been deleted before."""
    tx.add(_COUNTS.key(place.account, place.region), -1)
    tx.delete(_FUNCTIONS.key(*_key(place)))


def versions_of(place: Place) -> Subspace:
    """Return where the versions of a function are, by number, `$LATEST` first."""
    return _VERSIONS.sub(*_key(place))


def versions_in(account: str, region: str) -> Subspace:
    """Return where the versions of all of an account's functions are, by name and number."""
    return _VERSIONS.sub(account, region)


def aliases_of(place: Place) -> Subspace:
    """Return where the aliases of a function are, by name."""
    return _ALIASES.sub(*_key(place))


decode_version = _version
decode_alias = _alias
