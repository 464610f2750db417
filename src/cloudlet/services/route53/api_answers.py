"""TestDNSAnswer: what the name servers of a zone answer to a query."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import dns.rcode

from cloudlet.core import Context, Params, Result
from cloudlet.core.kernel.ids import random_below
from cloudlet.services.route53 import name_serving
from cloudlet.services.route53.answering import ServedZone
from cloudlet.services.route53.block import service
from cloudlet.services.route53.changing import to_domain
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.name_cache import CACHES, CachedNames
from cloudlet.services.route53.names import MalformedName, parse_name
from cloudlet.services.route53.routing import Client
from cloudlet.services.route53.zones import get_zone

_MASKS = {4: 24, 6: 64}


@service.direct("TestDNSAnswer")
async def test_dns_answer(ctx: Context, params: Params) -> Result:
    zone = await ctx.transact(lambda tx: get_zone(ctx, tx, params["HostedZoneId"]))
    if zone.is_private:
        raise InvalidInput("The hosted zone is private: its name servers answer queries of its VPCs only.")
    try:
        name = to_domain(params["RecordName"])
    except MalformedName as error:
        raise InvalidInput(f"FATAL problem: {error} encountered with '{params['RecordName']}'") from None
    kind = params["RecordType"]
    served = ServedZone(zone.account, zone.name, parse_name(zone.domain), zone.signs)
    names = CachedNames(CACHES.get(ctx.block), "", served)
    found = await name_serving.resolve(ctx.block, names, _make_client(ctx, params), parse_name(name), kind)
    rcode = dns.rcode.to_text(dns.rcode.Rcode(found.rcode))
    data: list[str] = [value for part in found.answers for value in part.values]
    shown: dict[str, Any] = {
        "Nameserver": zone.servers[0],
        "RecordName": name.rstrip("."),
        "RecordType": kind,
        "RecordData": data,
        "ResponseCode": rcode,
        "Protocol": "UDP",
    }
    return shown


def _make_client(ctx: Context, params: Params) -> Client:
    """Return the client that a query is to come from. Raises InvalidInput."""
    given, mask = params.get("EDNS0ClientSubnetIP") or params.get("ResolverIP"), params.get("EDNS0ClientSubnetMask")
    address = ip_address(given) if given else IPv4Address("127.0.0.1")
    bits: int = address.max_prefixlen
    if params.get("EDNS0ClientSubnetIP"):
        try:
            bits = int(mask) if mask else _MASKS[address.version]
            address = ip_network((address, bits), strict=False).network_address
        except ValueError:
            raise InvalidInput(f"The subnet mask {mask} is not valid.") from None
    elif mask:
        raise InvalidInput("EDNS0ClientSubnetMask requires EDNS0ClientSubnetIP.")
    place = name_serving.LOCATIONS.get(ctx.block).find(address)
    return Client(address, place, random_below, bits)
