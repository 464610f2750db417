"""Layers: packages that functions are put on top of, in versions that never change.

Developer guide, "Managing Lambda dependencies with layers".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import msgspec

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.lambda_ import access, errors
from cloudlet.services.lambda_.code import claims
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.function import LayerVersion, Package
from cloudlet.store import unpack

_OF_FUNCTION = 5
_ARN = re.compile(r"arn:[a-zA-Z0-9-]+:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9_-]+)(?::(\d{1,18}))?", re.ASCII)
_LAYERS = Subspace("layer")
_LAST_NUMBERS = Subspace("last-layer-version")
_NUMBERS = 1 << 60


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a layer. `created` is in seconds since the epoch."""

    account: str
    region: str
    name: str
    number: int
    package: Package
    created: float
    description: str = ""
    runtimes: tuple[str, ...] = ()
    """Which runtimes it is for; none: it does not say."""
    architectures: tuple[str, ...] = ()
    license: str = ""
    policy: str = ""
    """Who else may use it, as JSON."""
    policy_revision: str = ""

    @property
    def layer_arn(self) -> str:
        """The ARN of the layer, with no version."""
        return str(Arn(partition_of(self.region), "lambda", self.region, self.account, f"layer:{self.name}"))

    @property
    def arn(self) -> str:
        return f"{self.layer_arn}:{self.number}"


class Named(msgspec.Struct, frozen=True):
    """What a request names: a layer, or a version of it."""

    account: str
    region: str
    name: str
    number: int | None = None


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Layer).decode


def named(ctx: Context, text: str) -> Named:
    """Return the layer that is named by name or ARN. Raises AwsError."""
    if not text.startswith("arn:"):
        return Named(ctx.account, ctx.region, text)
    match = _ARN.fullmatch(text)
    if match is None:
        raise errors.invalid(f"Invalid layer ARN: {text}")
    region, account, name, number = match.groups()
    if region != ctx.region:
        raise errors.invalid(f"Layers of the region {region} cannot be used in {ctx.region}: {text}")
    return Named(account, region, name, None if number is None else int(number))


async def find(tx: Transaction, what: Named) -> Layer | None:
    """Return a version of a layer, None where there is none."""
    if what.number is None:
        return None
    raw = await tx.get(versions_of(what).key(_place_in_list(what.number)))
    return None if raw is None else decode(raw)


async def get(ctx: Context, tx: Transaction, what: Named, action: str = "GetLayerVersion") -> Layer:
    """Return a version of a layer that the caller may do this to. Raises AwsError."""
    found = await find_authorized(ctx, tx, what, action)
    if found is None:
        raise errors.not_found()
    return found


async def find_authorized(ctx: Context, tx: Transaction, what: Named, action: str) -> Layer | None:
    """Return a version of a layer, None where there is none. Raises AwsError unless the caller may do this to it."""
    found = await find(tx, what)
    if ctx.strict:
        resource = f"layer:{what.name}" if what.number is None else f"layer:{what.name}:{what.number}"
        arn = str(Arn(partition_of(what.region), "lambda", what.region, what.account, resource))
        access.decide_call(ctx, arn, what.account, action, {}, "" if found is None else found.policy)
    return found


async def used(ctx: Context, tx: Transaction, arns: Sequence[str]) -> tuple[LayerVersion, ...]:
    """Return the layers that a function is to use. Raises AwsError."""
    if len(arns) > _OF_FUNCTION:
        raise errors.invalid(f"Cannot reference more than {_OF_FUNCTION} layers.")
    found: dict[str, str] = {}
    versions: list[LayerVersion] = []
    for arn in arns:
        layer = await find_authorized(ctx, tx, named(ctx, arn), "GetLayerVersion")
        if layer is None:
            raise errors.invalid(f"Layer version {arn} does not exist.")
        other = found.setdefault(layer.layer_arn, arn)
        if len(versions) >= len(found):
            raise errors.invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{other} and {arn} are versions of the same layer."
            )
        versions.append(LayerVersion(layer.arn, layer.package))
    return tuple(versions)


async def next_number(tx: Transaction, what: Named) -> int:
    """Return the number of a version to be published; none is given twice."""
    key = _LAST_NUMBERS.key(what.account, what.region, what.name)
    raw = await tx.get(key)
    number = (0 if raw is None else int(raw)) + 1
    tx.put(key, str(number).encode())
    return number


async def save(tx: Transaction, layer: Layer, now: float) -> None:
    """Keep a version of a layer that was not there before, and its claim to its code."""
    await claims.change(tx, layer.arn, (), (layer.package.code,), now)
    directory.add_code_bytes(tx, layer.account, layer.region, layer.package.size)
    put(tx, layer)


def put(tx: Transaction, layer: Layer) -> None:
    """Keep a version of a layer in place of what it was; its code is the same."""
    tx.put(versions_of(layer).key(_place_in_list(layer.number)), _encode(layer))


async def remove(tx: Transaction, layer: Layer, now: float) -> None:
    """Delete a version of a layer; functions that use it keep it."""
    await claims.change(tx, layer.arn, (layer.package.code,), (), now)
    directory.add_code_bytes(tx, layer.account, layer.region, -layer.package.size)
    tx.delete(versions_of(layer).key(_place_in_list(layer.number)))


def versions_of(what: Named | Layer) -> Subspace:
    """Return where the versions of a layer are, the newest first."""
    return _LAYERS.sub(what.account, what.region, what.name)


def layers_of(account: str, region: str) -> Subspace:
    """Return where the versions of all layers of an account are, by name, the newest first."""
    return _LAYERS.sub(account, region)


def _place_in_list(number: int) -> int:
    return _NUMBERS - number


def last_name(marker: str | None) -> str:
    """Return the name of the layer that a page of layers comes after; nothing for the first page. Raises AwsError."""
    wrong = errors.invalid("The provided marker is not valid.")
    place = page_tokens.parse_page_token(marker or None, wrong)
    if not place:
        return ""
    try:
        name = unpack(place)[0]
    except (ValueError, IndexError, struct.error):
        raise wrong from None
    return str(name)
