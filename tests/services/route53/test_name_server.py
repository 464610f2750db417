"""The name server: real queries over UDP and TCP, by dnspython's client."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from itertools import count

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.route53.dns_client import DnsClient, get_data
from tests.services.route53.zone_cloud import ZoneCloud, alias, record
from tests.standing import eventually

_numbers = count()


@pytest.fixture(scope="module", params=[(), ("--isolate",)], ids=["together", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server.start("--ephemeral", "--dns", "0", *request.param) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> DnsClient:
    running = find(int(server.port))
    assert running is not None
    assert running.dns is not None
    host, _, port = running.dns.partition(":")
    return DnsClient(host, int(port))


@pytest.fixture
def cloud(server: Server) -> ZoneCloud:
    return ZoneCloud(Aws(server.endpoint, fresh_account()))


@pytest.fixture
def domain() -> str:
    """A domain that no other test has: the port answers for all accounts."""
    return f"d{next(_numbers)}.example"


@pytest.fixture
def zone(cloud: ZoneCloud, domain: str) -> str:
    return cloud.create_zone(domain)


def test_over_udp_and_tcp(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1", "192.0.2.2"))
    for tcp in (False, True):
        response = client.query(f"www.{domain}", tcp=tcp)
        assert sorted(get_data(response)) == ["A 192.0.2.1", "A 192.0.2.2"]
        assert response.answer[0].ttl == 300
        assert response.flags & dns.flags.AA
        assert not response.flags & dns.flags.RA


def test_values_come_in_other_orders(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    addresses = [f"A 192.0.2.{number}" for number in range(1, 5)]
    cloud.create(zone, record(f"www.{domain}", "A", *(each.removeprefix("A ") for each in addresses)))
    found = [client.ask(f"www.{domain}") for _ in range(20)]
    assert all(sorted(each) == addresses for each in found)
    assert len({each[0] for each in found}) > 1


def test_the_case_of_a_question_is_kept(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"))
    for name in (f"www.{domain}.", f"wWw.{domain.upper()}."):
        response = client.query(name)
        assert response.question[0].name.to_text() == name
        assert response.answer[0].name.to_text() == name


def test_what_is_not_there(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"a.b.{domain}", "A", "192.0.2.1"))
    missing = client.query(f"missing.{domain}")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    assert get_data(missing, "authority")[0].startswith("SOA ns-")
    assert missing.authority[0].ttl == 900
    for name, kind in ((f"a.b.{domain}", "AAAA"), (f"b.{domain}", "A")):
        nothing = client.query(name, kind)
        assert nothing.rcode() == dns.rcode.NOERROR
        assert not nothing.answer
        assert get_data(nothing, "authority")[0].startswith("SOA ")


def test_names_that_are_not_ours_are_refused(client: DnsClient) -> None:
    assert client.get_rcode("nobody.invalid") == "REFUSED"


def test_other_classes_are_refused(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"))
    assert client.ask(f"www.{domain}") == ["A 192.0.2.1"]
    assert client.query(f"www.{domain}", rdclass="CH").rcode() == dns.rcode.REFUSED


def test_cname_records_are_followed_through_our_zones(
    cloud: ZoneCloud, client: DnsClient, zone: str, domain: str
) -> None:
    other = cloud.create_zone(f"other-{domain}")
    cloud.create(
        zone,
        record(f"one.{domain}", "CNAME", f"two.{domain}"),
        record(f"two.{domain}", "CNAME", f"three.other-{domain}"),
        record(f"out.{domain}", "CNAME", "example.invalid"),
        record(f"round.{domain}", "CNAME", f"round.{domain}"),
    )
    cloud.create(other, record(f"three.other-{domain}", "A", "192.0.2.3"))
    assert client.ask(f"one.{domain}") == [f"CNAME two.{domain}.", f"CNAME three.other-{domain}.", "A 192.0.2.3"]
    assert client.ask(f"out.{domain}") == ["CNAME example.invalid."]
    assert client.ask(f"round.{domain}") == [f"CNAME round.{domain}."]
    assert client.ask(f"one.{domain}", "CNAME") == [f"CNAME two.{domain}."]


def test_wildcards(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"*.{domain}", "A", "192.0.2.1"), record(f"a.b.{domain}", "A", "192.0.2.2"))
    response = client.query(f"what.ever.{domain}")
    assert get_data(response) == ["A 192.0.2.1"]
    assert response.answer[0].name.to_text() == f"what.ever.{domain}."
    assert not client.ask(f"b.{domain}")
    assert client.get_rcode(f"c.b.{domain}") == "NXDOMAIN"


def test_delegations_are_told_with_their_addresses(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(
        zone,
        record(f"sub.{domain}", "NS", f"ns.sub.{domain}", "ns.example.invalid"),
        record(f"ns.sub.{domain}", "A", "192.0.2.53"),
    )
    response = client.query(f"www.sub.{domain}")
    assert not response.answer
    assert not response.flags & dns.flags.AA
    assert sorted(get_data(response, "authority")) == ["NS ns.example.invalid.", f"NS ns.sub.{domain}."]
    assert get_data(response, "additional") == ["A 192.0.2.53"]


def test_any_is_answered_minimally(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    assert client.ask(domain, "ANY") == ['HINFO "RFC8482" ""']


def test_what_is_too_large_for_a_datagram_is_truncated(
    cloud: ZoneCloud, client: DnsClient, zone: str, domain: str
) -> None:
    cloud.create(zone, record(f"many.{domain}", "A", *(f"192.0.2.{number}" for number in range(1, 101))))
    short = client.query(f"many.{domain}")
    assert short.flags & dns.flags.TC
    assert not short.answer
    assert client.query(f"many.{domain}", use_edns=0, payload=4096).flags & dns.flags.TC
    assert len(client.ask(f"many.{domain}", tcp=True)) == 100


def test_edns(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", *(f"192.0.2.{number}" for number in range(1, 61))))
    response = client.query(f"www.{domain}", use_edns=0, payload=1232)
    assert len(get_data(response)) == 60
    assert (response.edns, response.payload) == (0, 1232)
    query = dns.message.make_query(f"www.{domain}", "A", use_edns=1)
    assert client.send(query).rcode() == dns.rcode.BADVERS


def test_the_subnet_of_a_client_is_told_back(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    option = dns.edns.ECSOption("198.51.100.0", 24)
    response = client.query(domain, "SOA", use_edns=0, options=[option])
    assert [each.to_text() for each in response.options] == ["ECS 198.51.100.0/24 scope/24"]


def test_changes_are_answered_at_once(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    for number in range(1, 20):
        cloud.wait(cloud.change(zone, ("UPSERT", record(f"www.{domain}", "A", f"192.0.2.{number}"))))
        assert client.ask(f"www.{domain}") == [f"A 192.0.2.{number}"]


def test_a_deleted_zone_answers_no_more(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    assert client.get_rcode(domain, "SOA") == "NOERROR"
    cloud.route53.delete_hosted_zone(Id=zone)
    eventually(lambda: client.get_rcode(domain, "SOA"), lambda rcode: rcode == "REFUSED")


def test_private_zones_are_not_answered_on_the_public_port(cloud: ZoneCloud, client: DnsClient, domain: str) -> None:
    cloud.create_zone(domain, VPC=cloud.make_vpc())
    assert client.get_rcode(domain, "SOA") == "REFUSED"


def test_weights(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    def weighted(name: str, weight: int, address: str) -> dict[str, object]:
        return record(f"w.{domain}", "A", address, SetIdentifier=name, Weight=weight)

    cloud.create(zone, weighted("a", 3, "192.0.2.1"), weighted("b", 1, "192.0.2.2"), weighted("c", 0, "192.0.2.3"))
    found = [client.ask(f"w.{domain}")[0] for _ in range(200)]
    assert 100 < found.count("A 192.0.2.1") < 190
    assert "A 192.0.2.3" not in found


def test_multivalue_answers_are_eight_at_most(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(
        zone,
        *(
            record(f"m.{domain}", "A", f"192.0.2.{number}", SetIdentifier=f"{number}", MultiValueAnswer=True)
            for number in range(10)
        ),
    )
    found = [client.ask(f"m.{domain}") for _ in range(20)]
    assert {len(set(each)) for each in found} == {8}
    assert len({each for answers in found for each in answers}) == 10


def test_blocks_of_addresses(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    collection = cloud.route53.create_cidr_collection(Name="offices", CallerReference="one")["Collection"]["Id"]
    blocks = [("north", "198.51.100.0/24"), ("south", "203.0.113.0/24")]
    cloud.route53.change_cidr_collection(
        Id=collection,
        Changes=[{"LocationName": name, "Action": "PUT", "CidrList": [block]} for name, block in blocks],
    )
    locations = [("north", "192.0.2.1"), ("south", "192.0.2.2"), ("*", "192.0.2.3")]
    cloud.create(
        zone,
        *(
            record(
                f"i.{domain}",
                "A",
                address,
                SetIdentifier=name,
                CidrRoutingConfig={"CollectionId": collection, "LocationName": name},
            )
            for name, address in locations
        ),
    )
    for subnet, address in (("198.51.100.0", "192.0.2.1"), ("203.0.113.0", "192.0.2.2"), ("192.0.2.0", "192.0.2.3")):
        option = dns.edns.ECSOption(subnet, 24)
        assert client.ask(f"i.{domain}", use_edns=0, options=[option]) == [f"A {address}"]
    assert client.ask(f"i.{domain}") == ["A 192.0.2.3"]


def test_the_zone_that_was_created_first_answers(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    second = cloud.create_zone(domain)
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"))
    cloud.create(second, record(f"www.{domain}", "A", "192.0.2.2"))
    assert client.ask(f"www.{domain}") == ["A 192.0.2.1"]
    assert cloud.ask(second, f"www.{domain}") == ["192.0.2.2"]


def test_a_zone_below_another_answers_for_its_names(
    cloud: ZoneCloud, client: DnsClient, zone: str, domain: str
) -> None:
    below = cloud.create_zone(f"sub.{domain}")
    cloud.create(below, record(f"www.sub.{domain}", "A", "192.0.2.2"))
    assert client.ask(f"www.sub.{domain}") == ["A 192.0.2.2"]


def test_alias_of_the_apex(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1", ttl=7), alias(domain, "A", zone, f"www.{domain}"))
    response = client.query(domain)
    assert get_data(response) == ["A 192.0.2.1"]
    assert response.answer[0].ttl == 7


def test_queries_one_after_another_on_a_connection(cloud: ZoneCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"))
    wire = dns.message.make_query(f"www.{domain}", "A").to_wire()
    with socket.create_connection((client.host, client.port), timeout=10) as connection:
        connection.sendall((len(wire).to_bytes(2, "big") + wire) * 200)
        received = connection.makefile("rb")
        for _ in range(200):
            size = int.from_bytes(received.read(2), "big")
            assert get_data(dns.message.from_wire(received.read(size))) == ["A 192.0.2.1"]


MALFORMED = {
    "no question": struct.pack("!6H", 1, 0, 0, 0, 0, 0),
    "two questions": struct.pack("!6H", 1, 0, 2, 0, 0, 0) + b"\0\0\1\0\1\0\0\1\0\1",
    "a name that goes on": struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\5abc",
    "a compressed name": struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_query(client: DnsClient, message: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(10)
        out.sendto(message, (client.host, client.port))
        assert dns.message.from_wire(out.recv(512), ignore_trailing=True).rcode() == dns.rcode.FORMERR


def test_other_operations_are_not_implemented(client: DnsClient) -> None:
    query = dns.message.make_query("example.com", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    assert client.send(query).rcode() == dns.rcode.NOTIMP


def test_names_of_load_balancers_lead_to_this_machine(server: Server, client: DnsClient) -> None:
    cloud = LbCloud(Aws(server.endpoint, fresh_account()))
    arn = cloud.create_arn()

    def find_addresses() -> set[str]:
        zones = cloud.get(arn)["AvailabilityZones"]
        return {each["IpAddress"] for zone in zones for each in zone["LoadBalancerAddresses"] if each.get("IpAddress")}

    (address,) = eventually(find_addresses)
    name = cloud.get(arn)["DNSName"]
    eventually(lambda: client.ask(name), lambda found: found == [f"A {address}"])
    assert client.get_rcode(name.replace("-", "-x-", 1)) == "REFUSED"
