"""The places of clients, by a file in the data folder."""

from __future__ import annotations

import json
from pathlib import Path

import dns.edns

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server
from tests.services.route53.dns_client import DnsClient
from tests.services.route53.zone_cloud import ZoneCloud, record

PLACES = {
    "198.51.100.0/24": {"region": "eu-central-1"},
    "198.51.100.128/25": {"latitude": 38, "longitude": -121, "continent": "NA", "country": "US", "subdivision": "CA"},
}


def test_clients_are_where_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "dns-locations.json").write_text(json.dumps(PLACES))
    with Server.start("--data", str(tmp_path), "--dns", "0") as server:
        running = find(int(server.port))
        assert running is not None
        assert running.dns is not None
        host, _, port = running.dns.partition(":")
        client = DnsClient(host, int(port))
        cloud = ZoneCloud(Aws(server.endpoint, "123456789012"))
        zone = cloud.create_zone("placed.example")
        locations = {"192.0.2.1": {"CountryCode": "*"}, "192.0.2.2": {"ContinentCode": "EU"}}
        locations["192.0.2.3"] = {"CountryCode": "US", "SubdivisionCode": "CA"}
        cloud.create(
            zone,
            *(
                record("g.placed.example", "A", address, SetIdentifier=address, GeoLocation=location)
                for address, location in locations.items()
            ),
        )
        for subnet, address in (("198.51.100.0", "2"), ("198.51.100.128", "3"), ("203.0.113.0", "1")):
            option = dns.edns.ECSOption(subnet, 25)
            assert client.ask("g.placed.example", use_edns=0, options=[option]) == [f"A 192.0.2.{address}"]
            told = {"EDNS0ClientSubnetIP": subnet, "EDNS0ClientSubnetMask": "25"}
            assert cloud.ask(zone, "g.placed.example", **told) == [f"192.0.2.{address}"]


def test_a_file_that_makes_no_sense_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "dns-locations.json").write_text('{"198.51.100.0/24": {"region": "nowhere"}}')
    with Server.start("--data", str(tmp_path)) as server:
        cloud = ZoneCloud(Aws(server.endpoint, "123456789012"))
        zone = cloud.create_zone("placed.example")
        cloud.create(zone, record("www.placed.example", "A", "192.0.2.1"))
        assert cloud.ask(zone, "www.placed.example") == ["192.0.2.1"]
