"""API destinations: HTTP endpoints that rules send events to. User guide, "API destinations as targets"."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.core.arn import partition_of
from cloudlet.services.events import errors

DESTINATIONS = 3000
"""Of an account in a region, at most."""
RATE = 300
"""Invocations a second where nothing else is said."""
KIND = "api-destination/"
"""What the resources of their ARNs begin with."""
_DESTINATIONS = Subspace("destination")


class Destination(msgspec.Struct, frozen=True):
    """An API destination. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    id: str
    connection: str
    """The ARN of its connection."""
    endpoint: str
    """A URL, in whose path asterisks stand for what targets put there."""
    method: str
    created: float
    modified: float
    rate: int = RATE
    """Invocations a second, at most."""
    description: str = ""

    @property
    def arn(self) -> str:
        resource = f"{KIND}{self.name}/{self.id}"
        return str(Arn(partition_of(self.region), "events", self.region, self.account, resource))


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Destination).decode


def of_account(account: str, region: str) -> Subspace:
    """Return where the API destinations of an account are, by name."""
    return _DESTINATIONS.sub(account, region)


async def find(tx: Transaction, account: str, region: str, name: str) -> Destination | None:
    """Return an API destination, or None where there is none."""
    raw = await tx.get(_DESTINATIONS.key(account, region, name))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, account: str, region: str, name: str) -> Destination:
    """Return an API destination. Raises AwsError where there is none."""
    found = await find(tx, account, region, name)
    if found is None:
        raise _absent(name)
    return found


async def with_arn(tx: Transaction, arn: Arn) -> Destination:
    """Return the API destination with an ARN. Raises AwsError where there is none."""
    name, _, id = arn.resource.removeprefix(KIND).partition("/")
    found = await find(tx, arn.account, arn.region, name)
    if found is None or found.id != id:
        raise _absent(name)
    return found


def _absent(name: str) -> AwsError:
    return errors.not_found(f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist.")


def save(tx: Transaction, destination: Destination) -> None:
    """Write an API destination."""
    tx.put(_DESTINATIONS.key(destination.account, destination.region, destination.name), _encode(destination))


def remove(tx: Transaction, destination: Destination) -> None:
    """Delete an API destination."""
    tx.delete(_DESTINATIONS.key(destination.account, destination.region, destination.name))


def check_endpoint(name: str, url: str) -> None:
    """Raise AwsError for what is no URL of an endpoint; `name` is the parameter that has it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and not {"*", "@"} & set(parts.netloc)
    except ValueError:
        usable = False
    if not usable:
        raise errors.validation(f"Parameter {name} is not valid. Reason: it must be a URL of an HTTP endpoint.")
