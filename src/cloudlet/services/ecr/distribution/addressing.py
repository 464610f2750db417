"""Addresses of the registry: a registry, a repository, and something there.

A registry is named by the request's host, by the first part of the repository's name, or by the token. Names are AWS's:
`ACCOUNT.dkr.ecr.REGION.amazonaws.com`, and `public.ecr.aws/ALIAS` for a public one.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cloudlet.services.ecr import public_registry

_PATH: Final = re.compile(
    r"/v2/(?P<name>.+)/(?P<kind>blobs|manifests|tags|referrers)/(?P<reference>(?:uploads/)?[^/]*)", re.ASCII | re.DOTALL
)
_REGISTRY: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)", re.ASCII
)
TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


class RegistryName(NamedTuple):
    """The account and the region of a registry."""

    account: str
    region: str


_PUBLIC_RESOURCE: Final = "public"
"""The name that the front door has for the host of public registries."""
_PUBLIC: Final = RegistryName("", public_registry.REGION)
"""The host of public registries: an alias says which."""


class Address(NamedTuple):
    """The parts of a path."""

    given: str
    """The name of the repository as the client wrote it, which links repeat."""
    registry: RegistryName | None
    """None where neither the host nor the name says it."""
    name: str
    kind: str
    reference: str


def parse_resource(resource: str) -> RegistryName | None:
    """Return the registry that a host names; None for another host."""
    if resource == _PUBLIC_RESOURCE:
        return _PUBLIC
    account, found, region = resource.partition("/")
    return RegistryName(account, region) if found else None


def split_name(given: str, host: RegistryName | None) -> tuple[RegistryName | None, str]:
    """Return the registry and the name that a repository's name means."""
    first, found, rest = given.partition("/")
    match = _REGISTRY.fullmatch(first)
    if found and match is not None:
        return RegistryName(match["account"], match["region"]), rest
    if found and first == public_registry.HOST:
        return split_name(rest, _PUBLIC)
    if host == _PUBLIC:
        return RegistryName(public_registry.find_account(first) or "", public_registry.REGION), rest
    return host, given


def parse(path: str, host: RegistryName | None) -> Address | None:
    """Return what a path names; None where it is none of the protocol's."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    registry, name = split_name(match["name"], host)
    return Address(match["name"], registry, name, match["kind"], match["reference"])
