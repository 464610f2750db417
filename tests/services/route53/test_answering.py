"""The algorithm of answering: what it answers to any question is what a plain model of the same records does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.route53.answering import NOERROR, NXDOMAIN, Answer, Node, ServedZone, answer
from cloudlet.services.route53.names import Labels, format_name, is_within, parse_name
from cloudlet.services.route53.places import Place, find_region, list_locations
from cloudlet.services.route53.record_set_record import Alias, GeoLocation, Proximity, RecordSet
from cloudlet.services.route53.routing import Client, choose

APEX = parse_name("example.com")
SOA = RecordSet("example.com.", "SOA", ttl=900, values=("ns. me. 1 2 3 4 60",))
NS = RecordSet("example.com.", "NS", ttl=900, values=("ns.example.net.",))
ZONE = ServedZone("1", "Z", APEX)


class PlainNames:
    """Names of one zone in a list."""

    def __init__(self, records: Sequence[RecordSet], unhealthy: Sequence[str] = ()) -> None:
        self.records = [SOA, NS, *records]
        self.unhealthy = unhealthy

    def find_zone(self, labels: Labels) -> ServedZone | None:
        return ZONE if is_within(labels, APEX) else None

    def get_node(self, zone: str, name: str) -> Node:
        sets = [record for record in self.records if record.name == name]
        below = any(record.name != name and record.name.endswith(f".{name}") for record in self.records)
        return Node(sets, below)

    def is_healthy(self, account: str, check: str) -> bool:
        return check not in self.unhealthy

    def get_blocks(self, account: str, collection: str) -> Mapping[str, Sequence[str]]:
        return {"office": ["198.51.100.0/24", "203.0.113.0/24"], "desk": ["198.51.100.0/28"]}

    def get_public_keys(self, zone: str) -> Sequence[str]:
        return []

    def get_endpoint(self, kind: str) -> Sequence[str]:
        return ["127.0.0.1"]

    def find_balancer_addresses(self, account: str, name: str) -> Sequence[str] | None:
        return None


def draw_first(limit: int) -> int:
    return 0


def make_client(address: str = "127.0.0.1", place: Place | None = None, draw: Any = draw_first) -> Client:
    return Client(IPv4Address(address), place, draw)


def ask(records: Sequence[RecordSet], name: str, kind: str = "A", **more: Any) -> Answer:
    return answer(PlainNames(records), make_client(**more), parse_name(name), kind)


def model(records: Sequence[RecordSet], name: str, kind: str) -> tuple[int, list[tuple[str, str]]]:
    """Return the code and the data that RFC 1034 asks for, by looking through all records again and again."""
    found: list[tuple[str, str]] = []
    seen = set()
    while True:
        if not is_within(parse_name(name), APEX):
            return NOERROR, found
        seen.add(name)
        there = find_records(records, name)
        if there is None:
            return NXDOMAIN, found
        matching = [record for record in there if record.type == kind]
        if matching:
            return NOERROR, [*found, *((kind, value) for record in matching for value in record.values)]
        aliases = [record for record in there if record.type == "CNAME"]
        if not aliases:
            return NOERROR, found
        name = aliases[0].values[0]
        found.append(("CNAME", name))
        if name in seen:
            return NOERROR, found


def find_records(records: Sequence[RecordSet], name: str) -> list[RecordSet] | None:
    exact = [record for record in records if record.name == name]
    if exact or any(record.name.endswith(f".{name}") for record in records) or name == "example.com.":
        return exact
    labels = name.split(".")
    for first in range(1, len(labels)):
        ancestor = ".".join(labels[first:])
        star = f"\\052.{ancestor}"
        if any(record.name == star or record.name.endswith(f".{star}") for record in records):
            return [record for record in records if record.name == star]
        exists = any(record.name == ancestor or record.name.endswith(f".{ancestor}") for record in records)
        if exists or ancestor == "example.com.":
            return None
    return None


LABELS = st.sampled_from(["a", "b", "c", "*"])
NAMES = st.lists(LABELS, min_size=0, max_size=3).map(
    lambda labels: format_name((*(label.encode() for label in labels), *APEX))
)
TARGETS = st.one_of(NAMES, st.just("elsewhere.net."))


@st.composite
def zones(draw: st.DrawFn) -> list[RecordSet]:
    """Return records of a zone, as Route 53 lets them be together."""
    records: list[RecordSet] = []
    for name in draw(st.lists(NAMES, unique=True, max_size=8)):
        if name != "example.com." and draw(st.booleans()):
            records.append(RecordSet(name, "CNAME", ttl=60, values=(draw(TARGETS),)))
            continue
        for kind, value in (("A", "192.0.2.1"), ("TXT", '"x"')):
            if draw(st.booleans()):
                records.append(RecordSet(name, kind, ttl=60, values=(value,)))
    return records


@settings(max_examples=300)
@given(zones(), NAMES, st.sampled_from(["A", "TXT", "CNAME", "MX"]))
def test_answers_are_those_of_the_model(records: list[RecordSet], name: str, kind: str) -> None:
    found = ask(records, name, kind)
    wanted_code, wanted = model([SOA, NS, *records], name, kind)
    assert [(part.type, value) for part in found.answers for value in part.values] == wanted
    assert found.rcode == wanted_code
    # What is not there is told with the SOA record, and with nothing else.
    is_missing = not found.missing and (not wanted or wanted[-1][0] == "CNAME" != kind)
    if found.authority:
        assert [part.type for part in found.authority] == ["SOA"]
        assert is_missing
    assert found.is_fixed


def geo(identifier: str, **location: str) -> RecordSet:
    return RecordSet(
        "g.example.com.", "A", identifier, 60, (f"192.0.2.{identifier}",), location=GeoLocation(**location)
    )


GEO = [
    geo("1", country="*"),
    geo("2", continent="EU"),
    geo("3", country="DE"),
    geo("4", country="US"),
    geo("5", country="US", subdivision="CA"),
]
PLACES = {
    "nowhere": (None, "1"),
    "France": (Place(0, 0, "EU", "FR"), "2"),
    "Germany": (Place(0, 0, "EU", "DE"), "3"),
    "Texas": (Place(0, 0, "NA", "US", "TX"), "4"),
    "California": (Place(0, 0, "NA", "US", "CA"), "5"),
    "Japan": (Place(0, 0, "AS", "JP"), "1"),
}


@pytest.mark.parametrize(("place", "identifier"), PLACES.values(), ids=PLACES)
def test_the_smallest_location_counts(place: Place | None, identifier: str) -> None:
    assert ask(GEO, "g.example.com", place=place).answers[0].values == (f"192.0.2.{identifier}",)


def test_without_a_default_location_there_is_no_answer() -> None:
    found = ask(GEO[1:], "g.example.com")
    assert (found.rcode, found.answers, found.authority[0].type) == (NOERROR, (), "SOA")


def test_latency_is_that_of_the_closest_region() -> None:
    records = [
        RecordSet("l.example.com.", "A", region, 60, (address,), region=region)
        for region, address in (("eu-west-1", "192.0.2.1"), ("us-west-2", "192.0.2.2"), ("ap-south-1", "192.0.2.3"))
    ]
    for client, address in (("eu-central-1", "192.0.2.1"), ("us-west-1", "192.0.2.2"), ("ap-southeast-1", "192.0.2.3")):
        assert ask(records, "l.example.com", place=find_region(client)).answers[0].values == (address,)


def test_a_bias_moves_the_border() -> None:
    def make(bias: int) -> list[RecordSet]:
        near, far = Proximity(0, 0), Proximity(0, 50, bias)
        return [
            RecordSet("p.example.com.", "A", identifier, 60, (identifier,), proximity=proximity)
            for identifier, proximity in (("192.0.2.1", near), ("192.0.2.2", far))
        ]

    client = Place(0, 20)
    assert ask(make(0), "p.example.com", place=client).answers[0].values == ("192.0.2.1",)
    assert ask(make(50), "p.example.com", place=client).answers[0].values == ("192.0.2.2",)
    assert ask(make(-50), "p.example.com", place=Place(0, 30)).answers[0].values == ("192.0.2.1",)


def test_the_longest_block_counts() -> None:
    records = [
        RecordSet("i.example.com.", "A", location, 60, (address,), cidr=("c", location))
        for location, address in (("office", "192.0.2.1"), ("desk", "192.0.2.2"), ("*", "192.0.2.3"))
    ]
    for client, address in (("198.51.100.99", "192.0.2.1"), ("198.51.100.3", "192.0.2.2"), ("192.0.2.9", "192.0.2.3")):
        assert ask(records, "i.example.com", address=client).answers[0].values == (address,)
    # Of a client that tells but 20 bits of its address nobody knows whether it is in a smaller block.
    known = replace(make_client("198.51.100.0"), prefix=20)
    assert answer(PlainNames(records), known, parse_name("i.example.com"), "A").answers[0].values == ("192.0.2.3",)


def weigh(weights: Sequence[int], unhealthy: Sequence[str], drawn: int) -> str:
    sets = [
        RecordSet("w.example.com.", "A", f"{number}", 60, ("x",), weight=weight, health_check=f"{number}")
        for number, weight in enumerate(weights)
    ]
    client = make_client(draw=lambda limit: drawn % limit)
    return choose(sets, lambda found: found.health_check not in unhealthy, client, lambda collection: {})[0].identifier


@given(st.lists(st.integers(0, 255), min_size=1, max_size=5), st.sets(st.sampled_from("01234")), st.integers(0, 2000))
def test_weights(weights: list[int], unhealthy: set[str], drawn: int) -> None:
    healthy = [number for number in range(len(weights)) if f"{number}" not in unhealthy] or list(range(len(weights)))
    candidates = [number for number in healthy if weights[number]] or healthy
    assert int(weigh(weights, sorted(unhealthy), drawn)) in candidates


def test_weights_are_shares() -> None:
    assert [weigh([1, 2, 0], [], drawn) for drawn in range(3)] == ["0", "1", "1"]


FAILOVERS = {(): "1", ("a",): "2", ("b",): "1", ("a", "b"): "1"}


@pytest.mark.parametrize(("unhealthy", "identifier"), FAILOVERS.items())
def test_failover(unhealthy: tuple[str, ...], identifier: str) -> None:
    records = [
        RecordSet("f.example.com.", "A", "1", 60, ("1",), failover="PRIMARY", health_check="a"),
        RecordSet("f.example.com.", "A", "2", 60, ("2",), failover="SECONDARY", health_check="b"),
    ]
    found = answer(PlainNames(records, unhealthy), make_client(), parse_name("f.example.com"), "A")
    assert found.answers[0].values == (identifier,)


def test_an_alias_is_as_healthy_as_its_target() -> None:
    records = [
        RecordSet("t.example.com.", "A", "1", 60, ("1",), weight=1, health_check="a"),
        RecordSet("f.example.com.", "A", "1", alias=Alias("Z", "t.example.com.", True), failover="PRIMARY"),
        RecordSet("f.example.com.", "A", "2", 60, ("2",), failover="SECONDARY"),
    ]
    for unhealthy, address in (((), "1"), (("a",), "2")):
        found = answer(PlainNames(records, unhealthy), make_client(), parse_name("f.example.com"), "A")
        assert found.answers[0].values == (address,)


def test_aliases_that_go_round_end() -> None:
    records = [
        RecordSet("a.example.com.", "A", alias=Alias("Z", "b.example.com.", True)),
        RecordSet("b.example.com.", "A", alias=Alias("Z", "a.example.com.", True)),
    ]
    assert not ask(records, "a.example.com").answers


def test_locations_are_told_once_each() -> None:
    every = list(list_locations())
    assert len(every) == len(set(every)) > 300
