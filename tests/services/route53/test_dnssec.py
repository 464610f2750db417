"""DNSSEC: signatures that dnspython verifies, from the DS record down."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import dns.dnssec
import dns.flags
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.route53.dns_client import DnsClient
from tests.services.route53.zone_cloud import ZoneCloud, fails, record

_numbers = count()


class SignedCloud(ZoneCloud):
    """Route 53 of an account with a key of KMS."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        kms = aws.client("kms", region_name="us-east-1")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.key: str = made["KeyMetadata"]["Arn"]

    def add_key(self, zone: str, name: str = "main", status: str = "ACTIVE") -> dict[str, object]:
        made = self.route53.create_key_signing_key(
            CallerReference=self.make_reference(),
            HostedZoneId=zone,
            KeyManagementServiceArn=self.key,
            Name=name,
            Status=status,
        )
        key: dict[str, object] = made["KeySigningKey"]
        return key

    def sign(self, zone: str) -> None:
        self.wait(self.route53.enable_hosted_zone_dnssec(HostedZoneId=zone)["ChangeInfo"]["Id"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.start("--ephemeral", "--dns", "0") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> DnsClient:
    running = find(int(server.port))
    assert running is not None
    assert running.dns is not None
    host, _, port = running.dns.partition(":")
    return DnsClient(host, int(port))


@pytest.fixture
def cloud(server: Server) -> SignedCloud:
    return SignedCloud(Aws(server.endpoint, fresh_account()))


@pytest.fixture
def domain() -> str:
    return f"s{next(_numbers)}.example"


@pytest.fixture
def zone(cloud: SignedCloud, domain: str) -> str:
    return cloud.create_zone(domain)


def split(section: list[dns.rrset.RRset]) -> dict[tuple[dns.name.Name, int], tuple[dns.rrset.RRset, dns.rrset.RRset]]:
    """Return the records of a section with their signatures."""
    signatures = {(each.name, each.covers): each for each in section if each.rdtype == dns.rdatatype.RRSIG}
    plain = [each for each in section if each.rdtype != dns.rdatatype.RRSIG]
    return {(each.name, each.rdtype): (each, signatures[each.name, each.rdtype]) for each in plain}


def fetch_keys(client: DnsClient, domain: str, ds: str) -> dict[dns.name.Name, Any]:
    """Return the keys of a zone, once they are trusted by a DS record."""
    response = client.query(domain, "DNSKEY", want_dnssec=True, tcp=True)
    name = dns.name.from_text(domain)
    keys, signatures = split(response.answer)[name, dns.rdatatype.DNSKEY]
    dns.dnssec.validate(keys, signatures, {name: keys})
    wanted = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, ds)
    trusted = [dns.dnssec.make_ds(name, key, "SHA256") for key in keys if key.flags == 257]
    assert wanted in trusted
    return {name: keys}


def test_answers_are_signed(cloud: SignedCloud, client: DnsClient, zone: str, domain: str) -> None:
    key = cloud.add_key(zone)
    cloud.sign(zone)
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"), record(f"*.wild.{domain}", "TXT", '"x"'))
    keys = fetch_keys(client, domain, str(key["DSRecord"]))
    for name, kind in ((f"www.{domain}", "A"), (f"a.wild.{domain}", "TXT"), (domain, "SOA"), (domain, "NS")):
        for records, signatures in split(client.query(name, kind, want_dnssec=True).answer).values():
            dns.dnssec.validate(records, signatures, keys)
    assert len(client.query(f"www.{domain}").answer) == 1
    shown = cloud.route53.get_dnssec(HostedZoneId=zone)
    assert (shown["Status"]["ServeSignature"], shown["KeySigningKeys"][0]["Status"]) == ("SIGNING", "ACTIVE")


def test_what_is_not_there_is_denied_with_a_signature(
    cloud: SignedCloud, client: DnsClient, zone: str, domain: str
) -> None:
    key = cloud.add_key(zone)
    cloud.sign(zone)
    cloud.create(zone, record(f"www.{domain}", "A", "192.0.2.1"))
    keys = fetch_keys(client, domain, str(key["DSRecord"]))
    for name, kind in ((f"nothing.{domain}", "A"), (f"www.{domain}", "AAAA")):
        found = split(client.query(name, kind, want_dnssec=True).authority)
        for records, signatures in found.values():
            dns.dnssec.validate(records, signatures, keys)
        denial = found[dns.name.from_text(name), dns.rdatatype.NSEC][0]
        assert denial[0].next.to_text() == f"\\000.{name}."
        assert f" {kind} " not in f"{denial[0]} "


def test_a_denial_names_the_types_that_are_there(cloud: SignedCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.add_key(zone)
    cloud.sign(zone)
    cloud.create(zone, record(f"*.wild.{domain}", "A", "192.0.2.1"), record(f"a.b.{domain}", "A", "192.0.2.1"))

    def get_types(name: str, kind: str = "TXT", section: str = "authority") -> str:
        records = getattr(client.query(f"{name}.{domain}", kind, want_dnssec=True), section)
        denial = next(each for each in records if each.rdtype == dns.rdatatype.NSEC)
        return str(denial[0]).partition(" ")[2]

    assert get_types("any.wild") == "A RRSIG NSEC"
    assert get_types("b") == "RRSIG NSEC"
    # A name that is not there has the type 128 (RFC 9824).
    assert get_types("none.b").removeprefix("RRSIG NSEC ") in ("TYPE128", "NXNAME")
    assert get_types("any.wild", "NSEC", "answer") == "A RRSIG NSEC"


def test_a_zone_trusts_one_below_on_the_same_server(
    cloud: SignedCloud, client: DnsClient, zone: str, domain: str
) -> None:
    key = cloud.add_key(zone)
    cloud.sign(zone)
    below = cloud.create_zone(f"below.{domain}")
    assert client.ask(f"below.{domain}", "DS") == []
    trusted = str(cloud.add_key(below)["DSRecord"])
    cloud.sign(below)
    server = client.ask(f"below.{domain}", "NS")[0].partition(" ")[2]
    cloud.create(zone, record(f"below.{domain}", "NS", server), record(f"below.{domain}", "DS", trusted))
    response = client.query(f"below.{domain}", "DS", want_dnssec=True)
    found = split(response.answer)[dns.name.from_text(f"below.{domain}"), dns.rdatatype.DS]
    dns.dnssec.validate(*found, fetch_keys(client, domain, str(key["DSRecord"])))
    fetch_keys(client, f"below.{domain}", str(found[0][0]))


def test_an_unsigned_delegation_is_proved(cloud: SignedCloud, client: DnsClient, zone: str, domain: str) -> None:
    key = cloud.add_key(zone)
    cloud.sign(zone)
    cloud.create(zone, record(f"sub.{domain}", "NS", "ns.example.net"))
    keys = fetch_keys(client, domain, str(key["DSRecord"]))
    authority = client.query(f"www.sub.{domain}", want_dnssec=True).authority
    denial = next(each for each in authority if each.rdtype == dns.rdatatype.NSEC)
    signatures = next(each for each in authority if each.rdtype == dns.rdatatype.RRSIG)
    dns.dnssec.validate(denial, signatures, keys)
    assert str(denial[0]).endswith("NS RRSIG NSEC")


def test_keys_are_rotated(cloud: SignedCloud, client: DnsClient, zone: str, domain: str) -> None:
    cloud.add_key(zone, "first")
    cloud.sign(zone)
    arguments = {"HostedZoneId": zone, "Name": "first"}
    fails("KeySigningKeyInUse", cloud.route53.deactivate_key_signing_key, **arguments)
    second = cloud.add_key(zone, "second", "INACTIVE")
    fails("TooManyKeySigningKeys", cloud.add_key, zone, "third")
    cloud.route53.activate_key_signing_key(HostedZoneId=zone, Name="second")
    fails("InvalidKeySigningKeyStatus", cloud.route53.delete_key_signing_key, **arguments)
    cloud.route53.deactivate_key_signing_key(**arguments)
    cloud.wait(cloud.route53.delete_key_signing_key(**arguments)["ChangeInfo"]["Id"])
    fetch_keys(client, domain, str(second["DSRecord"]))
    fails("NoSuchKeySigningKey", cloud.route53.delete_key_signing_key, **arguments)


def test_signing_is_disabled(cloud: SignedCloud, client: DnsClient, zone: str, domain: str) -> None:
    fails("KeySigningKeyWithActiveStatusNotFound", cloud.route53.enable_hosted_zone_dnssec, HostedZoneId=zone)
    fails("DNSSECNotFound", cloud.route53.disable_hosted_zone_dnssec, HostedZoneId=zone)
    cloud.add_key(zone)
    cloud.sign(zone)
    fails("HostedZoneNotEmpty", cloud.route53.delete_hosted_zone, Id=zone)
    cloud.wait(cloud.route53.disable_hosted_zone_dnssec(HostedZoneId=zone)["ChangeInfo"]["Id"])
    response = client.query(domain, "SOA", want_dnssec=True)
    assert [each.rdtype for each in response.answer] == [dns.rdatatype.SOA]
    assert "contains DNSSEC Key Signing Keys" in fails("HostedZoneNotEmpty", cloud.route53.delete_hosted_zone, Id=zone)
    cloud.route53.deactivate_key_signing_key(HostedZoneId=zone, Name="main")
    cloud.route53.delete_key_signing_key(HostedZoneId=zone, Name="main")
    cloud.route53.delete_hosted_zone(Id=zone)


def test_keys_that_cannot_sign_zones(cloud: SignedCloud, zone: str) -> None:
    kms = cloud.aws.client("kms", region_name="us-east-1")
    cloud.key = kms.create_key()["KeyMetadata"]["Arn"]
    fails("InvalidKMSArn", cloud.add_key, zone)
    cloud.key = kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    fails("InvalidKMSArn", cloud.add_key, zone)
    fails("InvalidKeySigningKeyName", cloud.add_key, zone, "no-good")
    fails("InvalidKeySigningKeyStatus", cloud.add_key, zone, "main", "DELETING")


def test_a_key_has_one_name(cloud: SignedCloud, zone: str) -> None:
    cloud.add_key(zone)
    fails("KeySigningKeyAlreadyExists", cloud.add_key, zone)
