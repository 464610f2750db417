"""Regions and their availability zones (EC2 User Guide, "Regions and Zones").

Names and ids of zones belong together here in the order of the alphabet, which on AWS each account has in its own way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.services.ec2.errors import InvalidValue

_LETTERS: Final = {
    "ap-northeast-1": "acd",
    "ap-northeast-2": "abcd",
    "ca-central-1": "abd",
    "us-east-1": "abcdef",
    "us-west-1": "ab",
    "us-west-2": "abcd",
}
"""The zones of regions that do not have a, b and c."""
_DIRECTIONS: Final = {
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
    "north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
}  # fmt: skip
REGIONS: Final = (
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
"""Regions that each account has."""
OPT_IN_REGIONS: Final = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1",
    "me-central-1", "me-south-1", "mx-central-1",
)  # fmt: skip
"""Regions that AWS has to be asked for. In Cloudlet they can be used at once."""


class Zone(NamedTuple):
    """An availability zone."""

    name: str
    id: str


def list_zones(region: str) -> list[Zone]:
    """Return the availability zones of a region."""
    parts = region.split("-")
    short = "".join([*parts[:-2], _DIRECTIONS.get(parts[-2], parts[-2][:2]), parts[-1]]) if len(parts) > 2 else region
    letters = _LETTERS.get(region, "abc")
    return [Zone(f"{region}{letter}", f"{short}-az{number}") for number, letter in enumerate(letters, 1)]


def find_zone(region: str, name: str | None, zone_id: str | None, *, default: int = 0) -> Zone:
    """Return a zone by its name, its id, or else its number. Raises AwsError."""
    zones = list_zones(region)
    if name and zone_id:
        raise AwsError(
            "InvalidParameterCombination", "Only one of AvailabilityZone or AvailabilityZoneId can be given."
        )
    if not name and not zone_id:
        return zones[default % len(zones)]
    found = next((each for each in zones if each.name == name or each.id == zone_id), None)
    if found is None:
        names = ", ".join(each.name for each in zones)
        member = "availabilityZone" if name else "availabilityZoneId"
        raise InvalidValue(
            member,
            name or zone_id,
            f"Subnets can currently only be created in the following availability zones: {names}.",
        )
    return found


def get_zone_id(region: str, name: str) -> str:
    """Return the id of a zone."""
    return next((each.id for each in list_zones(region) if each.name == name), "")
