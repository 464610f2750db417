"""The managed policies of AWS.

`scripts/update_aws_policies.py` makes the data; `aws_policies.license` is that of its source.

The archive beside this module has a list of them and their documents, some in each member. The list is kept in memory;
documents are read where they are asked for.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import ZipFile

from msgspec.structs import replace

from cloudlet.services.iam.entity_record import ManagedPolicy, PolicyVersion

_ARCHIVE: Final = Path(__file__).with_name("aws_policies.zip")
_MEMBER_POLICIES: Final = 16
_ACCOUNT: Final = ":iam::aws:policy"
_PREFIXES: Final = ("arn:aws", "arn:aws-cn", "arn:aws-us-gov")


class _Place(NamedTuple):
    """A policy in the list."""

    number: int
    path: str
    name: str
    version: int
    created: float
    updated: float


def find(arn: str) -> ManagedPolicy | None:
    """Return a policy of AWS by its ARN, in any partition, or None."""
    prefix, _, path_and_name = arn.partition(_ACCOUNT)
    place = _load_places().get(path_and_name)
    if place is None or prefix not in _PREFIXES:
        return None
    member, line = divmod(place.number, _MEMBER_POLICIES)
    return _make_policy(place, prefix.removeprefix("arn:"), _read_documents(member)[line])


@cache
def list_all() -> Sequence[ManagedPolicy]:
    """Return the policies of AWS in the order of names, without their documents.

    Their account is "aws".
    """
    return tuple(_make_policy(place, "aws", "") for place in _load_places().values())


def _make_policy(place: _Place, partition: str, document: str) -> ManagedPolicy:
    """Return the record of a policy."""
    policy = ManagedPolicy(
        account="aws",
        partition=partition,
        name=place.name,
        path=place.path,
        id="",
        created=place.created,
        versions=(PolicyVersion(place.version, document, place.updated),),
        default=place.version,
        updated=place.updated,
    )
    return replace(policy, id="ANPA" + b32encode(sha256(policy.arn.encode()).digest()).decode()[:17])


@cache
def _load_places() -> dict[str, _Place]:
    """Return where policies are in the archive, by path and name."""
    with ZipFile(_ARCHIVE) as archive:
        lines = archive.read("index").decode().splitlines()
    places = {}
    for number, line in enumerate(lines):
        path_and_name, version, created, updated = line.split(" ")
        path, _, name = path_and_name.rpartition("/")
        places[path_and_name] = _Place(number, f"{path}/", name, int(version), float(created), float(updated))
    return places


@lru_cache(4)
def _read_documents(member: int) -> list[str]:
    """Return the documents that are in a member of the archive."""
    with ZipFile(_ARCHIVE) as archive:
        return archive.read(str(member)).decode().splitlines()
