"""API destinations: HTTP endpoints that rules send events to. User guide, "API destinations as targets"."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.events import errors

DESTINATIONS = 3000
"""Of an account in a region, at most."""
RATE = 300
"""Invocations a second where nothing else is said."""
KIND = "api-destination/"
"""What the resources of their ARNs begin with."""


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


def _absent(name: str) -> AwsError:
    return errors.not_found(f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist.")


_destinations = Records(Subspace("destination"), Destination, _absent)
decode, of_account, find = _destinations.decode, _destinations.get_space, _destinations.find
get, save, remove = _destinations.get, _destinations.save, _destinations.remove


async def with_arn(tx: Transaction, arn: Arn) -> Destination:
    """Return the API destination with an ARN. Raises AwsError where there is none."""
    name, _, id = arn.resource.removeprefix(KIND).partition("/")
    found = await find(tx, arn.account, arn.region, name)
    if found is None or found.id != id:
        raise _absent(name)
    return found


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
