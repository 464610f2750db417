"""`cloudlet dns`: zone files into hosted zones of Route 53, and out of them."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dns.exception
import dns.name
import dns.rdatatype
import dns.zone
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError, add_port
from cloudlet.cli.clients import add_account, make_client

_BATCH_VALUES: Final = 400
_BATCH_CHARACTERS: Final = 12_000
"""Limits of a batch: Route 53 admits 1,000 and 32,000. It counts an UPSERT twice."""
_KEPT: Final = ("NS", "SOA")
"""The types that a zone has of its own, at its apex."""
_LINE: Final = re.compile(r"<string>:(\d+)")
_DECIMAL: Final = re.compile(r"\\(?:([0-9]{3})|.)", re.DOTALL)
_OCTAL: Final = re.compile(r"\\(?:([0-3][0-7]{2})|.)", re.DOTALL)
"""Escaped characters, by their number or as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("action", choices=("import", "export"), help="a zone file into a hosted zone, or out of it")
    parser.add_argument("zone", help="the domain name of a public hosted zone, or its id; import creates one")
    parser.add_argument("file", nargs="?", type=Path, help="the zone file (default: standard input or output)")
    add_account(parser)


def run(options: argparse.Namespace) -> int:
    client = make_client(options, "route53")
    try:
        if options.action == "import":
            text = sys.stdin.read() if options.file is None else options.file.read_text()
            print(f"{_import(client, options.zone, text)} records are in the zone {options.zone}")
        else:
            text = "".join(f"{line}\n" for line in _export(client, _find_zone(client, options.zone)))
            if options.file is None:
                sys.stdout.write(text)
            else:
                options.file.write_text(text)
    except ClientError as error:
        raise CommandError(error.response["Error"]["Message"]) from error
    except BotoCoreError as error:
        raise CommandError(str(error)) from error
    except UnicodeDecodeError as error:
        raise CommandError("not a zone file: its text is not in UTF-8", EXIT_USAGE) from error
    return EXIT_OK


def _find_zone(client: Any, given: str) -> str:
    """Return the id of a zone. Raises CommandError where there is none."""
    found = _look_for_zone(client, given)
    if found is None:
        raise CommandError(f"there is no public hosted zone {given}")
    return found


def _look_for_zone(client: Any, given: str) -> str | None:
    if "." not in given.rstrip(".") and given.startswith("Z"):
        return given
    wanted = f"{given.rstrip('.').lower()}."
    for zone in client.list_hosted_zones_by_name(DNSName=given, MaxItems="10")["HostedZones"]:
        if zone["Name"] == wanted and not zone["Config"]["PrivateZone"]:
            identifier: str = zone["Id"].rpartition("/")[2]
            return identifier
    return None


def _import(client: Any, given: str, text: str) -> int:
    """Bring a zone file into a zone; return the number of record sets. Raises CommandError."""
    identifier = _look_for_zone(client, given)
    name = given if identifier is None else client.get_hosted_zone(Id=identifier)["HostedZone"]["Name"]
    records = list(_list_records(_parse(text, name)))
    if identifier is None:
        reference = f"cloudlet-dns-{time.time_ns()}"
        identifier = client.create_hosted_zone(Name=name, CallerReference=reference)["HostedZone"]["Id"]
    for batch in _split(records):
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record} for record in batch]
        client.change_resource_record_sets(HostedZoneId=identifier, ChangeBatch={"Changes": changes})
    return len(records)


def _split(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Return record sets in batches that Route 53 takes."""
    batch: list[dict[str, Any]] = []
    values = characters = 0
    for record in records:
        size = len(record["ResourceRecords"])
        length = sum(len(each["Value"]) for each in record["ResourceRecords"])
        if batch and (values + size > _BATCH_VALUES or characters + length > _BATCH_CHARACTERS):
            yield batch
            batch, values, characters = [], 0, 0
        batch.append(record)
        values += size
        characters += length
    if batch:
        yield batch


_Origins = tuple[dns.name.Name | None, bool, dns.name.Name | None]


class _StrictZone(dns.zone.Zone):
    """A zone that raises KeyError for names beyond it. Other zones leave them out."""

    def _get_origins(self) -> _Origins:
        return dns.name.root, False, self.origin

    origin_information = _get_origins


def _parse(text: str, domain: str) -> dns.zone.Zone:
    """Return the zone of a zone file. Raises CommandError."""
    origin = dns.name.from_text(domain)
    try:
        return dns.zone.from_text(
            f"$ORIGIN {origin}\n{text}", origin, relativize=False, zone_factory=_StrictZone, check_origin=False
        )
    except KeyError as error:
        raise CommandError(f"the file has names that are not within the zone {domain}", EXIT_USAGE) from error
    except (dns.exception.DNSException, ValueError) as error:
        # The first line is ours.
        told = _LINE.sub(lambda match: f"line {int(match[1]) - 1}", str(error))
        raise CommandError(f"not a zone file: {told}", EXIT_USAGE) from error


def _list_records(parsed: dns.zone.Zone) -> Iterator[dict[str, Any]]:
    """Return the record sets of a zone file, without those that each zone has."""
    for name, rdataset in parsed.iterate_rdatasets():
        kind = dns.rdatatype.to_text(rdataset.rdtype)
        if kind in _KEPT and name == parsed.origin:
            continue
        values = [_convert_to_octal(rdata.to_text()) for rdata in rdataset]
        yield {
            "Name": _convert_to_octal(name.to_text()),
            "Type": kind,
            "TTL": rdataset.ttl,
            "ResourceRecords": [{"Value": value} for value in values],
        }


def _export(client: Any, identifier: str) -> Iterator[str]:
    """Return the lines of a zone file. Record sets that have no place in one are comments."""
    yield f"$ORIGIN {client.get_hosted_zone(Id=identifier)['HostedZone']['Name']}"
    for page in client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=identifier):
        for record in page["ResourceRecordSets"]:
            name = _convert_to_decimal(record["Name"])
            if "SetIdentifier" in record or "ResourceRecords" not in record:
                target = record.get("AliasTarget", {}).get("DNSName", "")
                told = " ".join(filter(None, (record.get("SetIdentifier"), target and f"an alias of {target}")))
                yield f"; {name} {record['Type']} is routed by Route 53: {told}"
                continue
            for value in record["ResourceRecords"]:
                yield f"{name} {record['TTL']} IN {record['Type']} {_convert_to_decimal(value['Value'])}"


def _convert_to_octal(text: str) -> str:
    """Return a text of a zone file as Route 53 has it."""
    return _DECIMAL.sub(lambda match: f"\\{int(match[1]):03o}" if match[1] else match[0], text)


def _convert_to_decimal(text: str) -> str:
    """Return a text of Route 53 as zone files have it. They escape in decimal."""
    return _OCTAL.sub(lambda match: _escape(int(match[1], 8)) if match[1] else match[0], text)


def _escape(byte: int) -> str:
    return "*" if byte == ord("*") else f"\\{byte:03d}"
