"""`cloudlet dns`: zone files go in and come out again."""

from __future__ import annotations

from pathlib import Path

from cloudlet.testing.server import Server
from tests.commands import cloudlet
from tests.services.route53.zone_cloud import ZoneCloud, alias, record

ZONE = r"""
$ORIGIN shop.example.
$TTL 300
@ IN SOA ns.shop.example. me.shop.example. 1 2 3 4 5
@ IN NS ns.elsewhere.example.
@ IN MX 10 mail
mail IN A 192.0.2.1
     IN A 192.0.2.2
*.wild 60 IN CNAME mail
text IN TXT "one" "two \"quoted\" \228"
sub IN NS ns.elsewhere.example.
"""


def test_a_zone_file_goes_in_and_comes_out(cloud: ZoneCloud, cloudlet_server: Server, tmp_path: Path) -> None:
    file = tmp_path / "zone"
    file.write_text(ZONE)
    options = ("--port", cloudlet_server.port, "--account", cloud.account)
    done = cloudlet("dns", "import", "shop.example", str(file), *options)
    assert (done.returncode, done.stdout) == (0, "5 records are in the zone shop.example\n")
    zone = cloud.route53.list_hosted_zones()["HostedZones"][0]["Id"]
    assert cloud.ask(zone, "a.wild.shop.example", "CNAME") == ["mail.shop.example."]
    assert sorted(cloud.ask(zone, "mail.shop.example")) == ["192.0.2.1", "192.0.2.2"]
    assert cloud.ask(zone, "text.shop.example", "TXT") == [r'"one" "two \"quoted\" \344"']
    cloud.create(zone, alias("shop.example", "A", zone.rpartition("/")[2], "mail.shop.example"))
    lines = cloudlet("dns", "export", "shop.example", *options).stdout.splitlines()
    assert lines[0] == "$ORIGIN shop.example."
    assert r'text.shop.example. 300 IN TXT "one" "two \"quoted\" \228"' in lines
    assert "*.wild.shop.example. 60 IN CNAME mail.shop.example." in lines
    assert "; shop.example. A is routed by Route 53: an alias of mail.shop.example." in lines
    again = tmp_path / "again"
    again.write_text("\n".join(lines))
    assert cloudlet("dns", "import", "shop.example", str(again), *options).returncode == 0


def test_a_large_zone_file_comes_out_unchanged(cloud: ZoneCloud, cloudlet_server: Server, tmp_path: Path) -> None:
    texts = " ".join(['"' + 250 * "x" + '"'] * 2)
    lines = [f"s{number}.shop.example. 60 IN TXT {texts}" for number in range(100)]
    lines += [f"a{number}.shop.example. 60 IN A 192.0.2.{part}" for number in range(60) for part in range(20)]
    lines.append(r'escaped.shop.example. 60 IN TXT "a\\123" "\195\164"')
    file = tmp_path / "zone"
    file.write_text("\n".join(lines))
    options = ("--port", cloudlet_server.port, "--account", cloud.account)
    done = cloudlet("dns", "import", "shop.example", str(file), *options)
    assert (done.returncode, done.stderr) == (0, "")
    exported = cloudlet("dns", "export", "shop.example", *options).stdout.splitlines()
    assert sorted(line for line in exported[1:] if " NS " not in line and " SOA " not in line) == sorted(lines)


def test_what_cannot_be_done_is_told(cloud: ZoneCloud, cloudlet_server: Server, tmp_path: Path) -> None:
    options = ("--port", cloudlet_server.port, "--account", cloud.account)
    missing = cloudlet("dns", "export", "nothing.example", *options)
    assert (missing.returncode, missing.stderr) == (1, "cloudlet: there is no public hosted zone nothing.example\n")
    file = tmp_path / "zone"
    file.write_text("what is this?")
    assert cloudlet("dns", "import", "shop.example", str(file), *options).returncode == 2
    file.write_text("www IN A 192.0.2.1\n")
    told = cloudlet("dns", "import", "shop.example", str(file), *options).stderr
    assert "not a zone file: line" in told
    assert told.endswith("Missing default TTL value\n")
    file.write_text("$TTL 60\n$ORIGIN other.example.\nwww IN A 192.0.2.1\n")
    told = cloudlet("dns", "import", "shop.example", str(file), *options).stderr
    assert told == "cloudlet: the file has names that are not within the zone shop.example\n"
    file.write_bytes(b"\xff\xfe")
    assert cloudlet("dns", "import", "shop.example", str(file), *options).returncode == 2
    assert not cloud.route53.list_hosted_zones()["HostedZones"]
    cloud.create(cloud.create_zone("shop.example"), record("www.shop.example", "A", "192.0.2.1"))
    file.write_text("www.shop.example. 60 IN CNAME example.net.\n")
    refused = cloudlet("dns", "import", "shop.example", str(file), *options)
    assert refused.returncode == 1
    assert "is not permitted as it conflicts with other records" in refused.stderr
