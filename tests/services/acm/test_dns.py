"""CNAME records are looked up by the API of Route 53."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.services.acm.dns import find_cname
from tests.services.acm.zones import Zones

NAME = "_1.a.example.com"


def find(zones: Zones, name: str = NAME) -> str | None:
    return asyncio.run(find_cname(zones.call, name))


def test_a_record_is_found_in_the_zone_of_its_domain() -> None:
    zones = Zones({"Z1": ("example.com", {NAME: ("CNAME", "Value.acm-validations.aws.")})})
    assert find(zones) == find(zones, "_1.A.example.com.") == "value.acm-validations.aws"
    assert find(zones, "_2.a.example.com") is None
    assert find(zones, "_0.a.example.com") is None


def test_the_longest_zone_answers() -> None:
    records = {NAME: ("CNAME", "v")}
    zones = Zones({"Z1": ("example.com", records), "Z2": ("a.example.com", {})})
    assert find(zones) is None
    zones.zones["Z2"] = ("a.example.com", records)
    assert find(zones) == "v"


@pytest.mark.parametrize(
    "zones",
    [
        Zones({}),
        Zones({"Z1": ("com", {NAME: ("CNAME", "v")})}),
        Zones({"Z1": ("example.org", {NAME: ("CNAME", "v")})}),
        Zones({"Z1": ("example.com", {NAME: ("TXT", "v")})}),
        Zones({"Z1": ("example.com", {NAME: ("CNAME", "v")})}, private={"Z1"}),
    ],
)
def test_what_is_elsewhere_does_not_count(zones: Zones) -> None:
    assert find(zones) is None


def test_several_zones_may_have_one_name() -> None:
    zones = Zones({"Z1": ("example.com", {}), "Z2": ("example.com", {NAME: ("CNAME", "v")})})
    assert find(zones) == "v"
