"""Managed prefix lists, of accounts and of services with gateway endpoints."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2.limits import MAX_PREFIX_LIST_VERSIONS
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list

GATEWAY_SERVICES: Final = ("s3", "dynamodb")
"""The services that gateway endpoints are for."""


class Entry(msgspec.Struct):
    """A range of addresses."""

    cidr: str
    description: str | None = None


class PrefixList(Resource, kw_only=True):
    list_name: str
    family: str
    max_entries: int
    versions: list[list[Entry]]
    """The entries of each version, the oldest first."""
    is_of_aws: bool = False
    forgotten: int = 0
    """The number of versions that are not kept any more."""

    @property
    def entries(self) -> list[Entry]:
        """Return those of the current version."""
        return self.versions[-1]

    @property
    def version(self) -> int:
        """Return the number of the current version."""
        return self.forgotten + len(self.versions)

    def add_version(self, entries: list[Entry]) -> None:
        """Have other entries from now on. The oldest version is forgotten where there are too many."""
        self.versions.append(entries)
        if len(self.versions) > MAX_PREFIX_LIST_VERSIONS:
            del self.versions[0]
            self.forgotten += 1

    def find_version(self, number: int) -> list[Entry] | None:
        """Return the entries of a version, None where it is not there."""
        index = number - self.forgotten - 1
        return self.versions[index] if 0 <= index < len(self.versions) else None


async def show_prefix_list(scope: Scope, tx: Transaction, prefix_list: PrefixList) -> dict[str, Any]:
    """Return a prefix list as the API has it."""
    arn = PREFIX_LISTS.make_arn(prefix_list)
    shown = {
        "PrefixListId": prefix_list.name,
        "PrefixListName": prefix_list.list_name,
        "PrefixListArn": arn.replace(f":{prefix_list.account}:", ":aws:") if prefix_list.is_of_aws else arn,
        "AddressFamily": prefix_list.family,
        "State": "create-complete" if prefix_list.version == 1 else "modify-complete",
        "OwnerId": "AWS" if prefix_list.is_of_aws else prefix_list.account,
        "Tags": to_tag_list(prefix_list),
    }
    return shown if prefix_list.is_of_aws else {
        **shown,
        "MaxEntries": prefix_list.max_entries,
        "Version": prefix_list.version,
    }  # fmt: skip


def _make_absent(name: str) -> AwsError:
    return AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{name}' does not exist")


PREFIX_LISTS: Final = Kind(
    PrefixList, "pl", "prefix-list", "prefix list", "InvalidPrefixListID", show_prefix_list,
    "PrefixLists", "PrefixListIds",
    {"owner-id": "", "prefix-list-id": "", "prefix-list-name": ""},
    _make_absent, malformed="InvalidPrefixListId.Malformed",
)  # fmt: skip


def make_service_list(scope: Scope, service: str) -> PrefixList:
    """Return the prefix list of a service, which stands for all of its addresses."""
    name = f"com.amazonaws.{scope.region}.{service}"
    # Cloudlet's services are at no addresses of their own: there is nothing in it.
    return PrefixList(
        account=scope.account,
        region=scope.region,
        name=f"pl-{hashlib.sha256(name.encode()).hexdigest()[:8]}",
        list_name=name,
        family="IPv4",
        max_entries=0,
        versions=[[]],
        is_of_aws=True,
    )


async def ensure_service_lists(scope: Scope, tx: Transaction) -> None:
    """Have the prefix lists of services, which are there in each region."""
    for service in GATEWAY_SERVICES:
        PREFIX_LISTS.save(tx, make_service_list(scope, service))
