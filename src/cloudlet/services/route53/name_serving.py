"""The name server of the public port and of VPCs."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from socket import EAI_AGAIN, socket
from typing import Any, Final

import dns.rcode
import dns.rdatatype

from cloudlet.core.aws.interface_names import find_reverse
from cloudlet.core.host.network_label import NetworkLabel
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_below
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.engines.dns.dns_forwarding import Forwarder
from cloudlet.engines.dns.dns_query import Address, Network, Query
from cloudlet.engines.dns.dns_reply import NOTIMP, NXDOMAIN, REFUSED, SERVFAIL, Reply, compile_reply, make_refusal
from cloudlet.engines.dns.dns_server import DnsServer
from cloudlet.engines.resolver import Resolver
from cloudlet.services.route53 import dnssec
from cloudlet.services.route53.answering import ANY, Answer, Missing, Part, answer
from cloudlet.services.route53.compiling import compile_answer, make_response, to_dns_name
from cloudlet.services.route53.endpoints import TTL_SECONDS
from cloudlet.services.route53.load_balancers import is_served
from cloudlet.services.route53.name_cache import CACHES, CachedNames
from cloudlet.services.route53.names import Labels, format_name, from_wire, parse_name
from cloudlet.services.route53.own_names import find_values
from cloudlet.services.route53.places import Place, find_region
from cloudlet.services.route53.query_logging import QUERY_LOGS
from cloudlet.services.route53.routing import Client

log = logging.getLogger("cloudlet.dns")

MAX_COMPILED_ANSWERS: Final = 20_000
MAX_ORDERS: Final = 8
"""Orders of one reply's records."""
LOCATIONS_FILE: Final = "dns-locations.json"
"""In the data folder: the places of clients, by blocks of addresses."""
_FORWARDED_TTL_SECONDS: Final = 30
_IN: Final = 1
_TRANSFERS: Final = (251, 252)
_LOOPBACK: Final = IPv4Address("127.0.0.1")
_NO_LABEL: Final = NetworkLabel()
_RESOLVERS: Final = PerBlock(lambda block: Resolver())


class NameServer:
    """Answers for one network: a VPC, or whoever asks on the public port."""

    def __init__(self, block: Block, vpc: str = "", label: NetworkLabel = _NO_LABEL) -> None:
        """`label` tells of the VPC."""
        self._vpc = vpc
        self._label = label
        self._cache = CACHES.get(block)
        self._names = CachedNames(self._cache, vpc)
        self._log = QUERY_LOGS.get(block)
        self._place = find_region(label.region)
        self._locations = LOCATIONS.get(block)
        self._resolver = Resolver()
        self._forwarder = FORWARDERS.get(block)
        self._generation = -1
        self._fixed: dict[tuple[bytes, int, bool], tuple[Sequence[Reply], Answer]] = {}
        """Replies that everybody gets, in some orders of their records, with what they answer."""
        self._turn = 0
        self._compiled: SizedCache[Any, Reply] = SizedCache(MAX_COMPILED_ANSWERS)

    def answer(self, query: Query, address: Address) -> Reply | Awaitable[Reply]:
        """Return the reply to a query: at once where all is in memory."""
        if self._generation != self._cache.generation:
            self._generation = self._cache.generation
            self._fixed = {}
            self._compiled = SizedCache(MAX_COMPILED_ANSWERS)
        if query.klass != _IN:
            return make_refusal(REFUSED)
        found = self._fixed.get((query.name, query.type, query.wants_signatures))
        if found is not None:
            if found[1].zone is not None and found[1].zone.log_group:
                self._record(query, address, found[1])
            self._turn += 1
            return found[0][self._turn % len(found[0])]
        if query.type in _TRANSFERS:
            return make_refusal(NOTIMP)
        try:
            return self._answer(query, address)
        except Missing as missing:
            return self._answer_later(query, address, missing)

    async def _answer_later(self, query: Query, address: Address, missing: Missing) -> Reply:
        while True:
            await self._cache.load(missing.key)
            try:
                reply = self._answer(query, address)
            except Missing as another:
                missing = another
                continue
            return reply if isinstance(reply, Reply) else await reply

    def _answer(self, query: Query, address: Address) -> Reply | Awaitable[Reply]:
        """Return the reply to a query. Raises Missing."""
        labels, kind = from_wire(query.name), get_type_name(query.type)
        found = answer(self._names, self._make_client(query, address), labels, kind)
        if found.missing:
            values = find_values(self._names, self._label, found.missing, kind)
            if values is not None:
                return self._tell(query, labels, found, values)
            if self._vpc:
                return self._forward(query, labels, found)
        if found.zone is None:
            return make_refusal(REFUSED)
        if self._vpc and found.authority and found.authority[0].type == "NS":
            # Clients in a VPC do not follow delegations themselves.
            target = found.answers[-1].values[0] if found.answers else format_name(labels)
            return self._forward(query, labels, Answer(answers=found.answers, missing=target))
        reply = self._compile(query, labels, found)
        if found.is_fixed:
            if len(self._fixed) >= MAX_COMPILED_ANSWERS:
                self._fixed.clear()
            self._fixed[query.name, query.type, query.wants_signatures] = (
                self._make_orders(query, labels, found, reply),
                found,
            )
        if found.zone.log_group:
            self._record(query, address, found)
        return reply

    def _compile(self, query: Query, labels: Labels, found: Answer) -> Reply:
        is_signed = query.wants_signatures and found.zone is not None and found.zone.is_signed
        key = (query.name, query.type, is_signed, found)
        reply = self._compiled.get(key)
        if reply is None:
            if is_signed:
                reply = dnssec.compile_signed(self._names, labels, query.type, found, self._cache.get_time())
            else:
                reply = compile_answer(labels, query.type, found)
            self._compiled.add(key, reply, 1)
        return reply

    def _make_orders(self, query: Query, labels: Labels, found: Answer, reply: Reply) -> Sequence[Reply]:
        """Return a reply in several orders of its records: many clients take the first."""
        several = max((len(part.values) for part in found.answers), default=0)
        if several < 2 or query.wants_signatures:
            return (reply,)
        # Each compilation shuffles the records.
        return (reply, *(compile_answer(labels, query.type, found) for _ in range(MAX_ORDERS - 1)))

    def _tell(self, query: Query, labels: Labels, found: Answer, values: Sequence[str]) -> Reply:
        """Return the values of a name that is in no zone."""
        parts = (Part(found.missing, get_type_name(query.type), TTL_SECONDS, tuple(values)),) if values else ()
        is_authoritative = not self._vpc
        return compile_answer(labels, query.type, Answer(0, is_authoritative, (*found.answers, *parts)))

    async def _forward(self, query: Query, labels: Labels, found: Answer) -> Reply:
        """Return what the machine knows of a name that is not ours."""
        kind, target = get_type_name(query.type), found.missing
        if kind not in ("A", "AAAA"):
            return await self._ask_servers(query, labels, found)
        try:
            addresses = await self._resolver.addresses(target.rstrip("."))
        except OSError as error:
            code = SERVFAIL if error.errno == EAI_AGAIN else NXDOMAIN
            return compile_answer(labels, query.type, Answer(code, is_authoritative=False, answers=found.answers))
        wanted = tuple(each for each in addresses if (":" in each) == (kind == "AAAA"))
        parts = (Part(target, kind, _FORWARDED_TTL_SECONDS, wanted),) if wanted else ()
        return compile_answer(labels, query.type, Answer(is_authoritative=False, answers=(*found.answers, *parts)))

    async def _ask_servers(self, query: Query, labels: Labels, found: Answer) -> Reply:
        """Return what the machine's name servers answer."""
        address = find_reverse(found.missing)
        if address is not None and address.is_private:
            # Nobody else knows of private addresses (RFC 6303).
            return compile_answer(labels, query.type, Answer(NXDOMAIN, is_authoritative=False, answers=found.answers))
        target = to_dns_name(parse_name(found.missing))
        response = await self._forwarder.ask(target, query.type, wants_signatures=query.wants_signatures)
        if response is None:
            return make_refusal(SERVFAIL)
        rcode = min(response.rcode(), dns.rcode.REFUSED)
        reply = make_response(labels, query.type, Answer(rcode, is_authoritative=False, answers=found.answers))
        reply.answer += response.answer
        reply.authority += response.authority
        return compile_reply(reply)

    def _make_client(self, query: Query, address: Address) -> Client:
        if query.subnet is None:
            return Client(address, self._locations.find(address) or self._place, random_below)
        network = query.subnet.network
        told = network.network_address
        return Client(told, self._locations.find(told) or self._place, random_below, network.prefixlen)

    def _record(self, query: Query, address: Address, found: Answer) -> None:
        if found.zone is None:
            return
        rcode = dns.rcode.to_text(dns.rcode.Rcode(found.rcode))
        protocol = "UDP" if query.is_datagram else "TCP"
        subnet = None if query.subnet is None else str(query.subnet.network)
        name = format_name(from_wire(query.name))
        self._log.record(found.zone, name, get_type_name(query.type), rcode, protocol, str(address), subnet)


@lru_cache(1024)
def get_type_name(kind: int) -> str:
    """Return the name of a type of records."""
    return ANY if kind == 255 else dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))


class Locations:
    """The places of clients, as far as a file in the data folder tells them."""

    def __init__(self, block: Block) -> None:
        self._places = _read_locations(block.cloud.config.data / LOCATIONS_FILE)

    def find(self, address: Address) -> Place | None:
        """Return the place of the smallest block that an address is in."""
        for network, place in self._places:
            if network.version == address.version and address in network:
                return place
        return None


def _read_locations(path: Path) -> list[tuple[Network, Place]]:
    """Return the places in a file, the smallest blocks first. A missing file has none."""
    try:
        given = json.loads(path.read_bytes())
        places = [(ip_network(block), _parse_place(place)) for block, place in given.items()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        log.warning("%s is not used: %s", path, error)
        return []
    return sorted(places, key=lambda each: -each[0].prefixlen)


def _parse_place(given: dict[str, Any]) -> Place:
    """Return a place that a file tells. Raises ValueError and KeyError."""
    region = find_region(given["region"]) if "region" in given else None
    if region is None and "region" in given:
        raise ValueError(f"there is no Region {given['region']}")
    base = region or Place(float(given["latitude"]), float(given["longitude"]))
    told = {name: given[name] for name in ("continent", "country", "subdivision") if name in given}
    return base._replace(**told)


LOCATIONS: Final = PerBlock(Locations)
FORWARDERS: Final = PerBlock(lambda block: Forwarder())
PUBLIC: Final = PerBlock(NameServer)
"""The name server of whoever is in no VPC."""


async def serve_public(block: Block, datagrams: socket) -> None:
    """Answer on the public port, for ever."""
    listening = block.cloud.config.listening["route53"]
    await DnsServer(PUBLIC.get(block).answer, datagrams, listening).run()


async def serve_vpc(block: Block, vpc: str, label: NetworkLabel, datagrams: socket, listening: socket) -> None:
    """Answer the clients in a VPC, on sockets that were opened inside it, for ever."""
    await DnsServer(NameServer(block, vpc, label).answer, datagrams, listening, is_recursive=True).run()


async def resolve(block: Block, names: CachedNames, client: Client, labels: Labels, kind: str) -> Answer:
    """Return the answer to a question, once all that it takes was read."""
    cache = CACHES.get(block)
    while True:
        try:
            return answer(names, client, labels, kind)
        except Missing as missing:
            await cache.load(missing.key)


async def _find_balancer(block: Block, names: CachedNames, name: str) -> Sequence[str]:
    """Return the addresses of a load balancer. Raises OSError."""
    cache = CACHES.get(block)
    while True:
        try:
            found = names.find_balancer_addresses("", name)
        except Missing as missing:
            await cache.load(missing.key)
            continue
        if not found:
            raise OSError(f"{name} has no address")
        return found


async def look_up(block: Block, name: str) -> list[str]:
    """Return the addresses of a name, by our public zones or the machine's resolver. Raises OSError."""
    names, client = CachedNames(CACHES.get(block), ""), Client(_LOOPBACK, None, random_below)
    try:
        labels = parse_name(name)
    except ValueError as error:
        raise OSError(str(error)) from None
    target = ""
    for kind in ("A", "AAAA"):
        found = await resolve(block, names, client, labels, kind)
        if found.missing:
            target = found.missing
            break
        if found.answers and found.answers[-1].type == kind:
            return list(found.answers[-1].values)
    if not target:
        raise OSError(f"{name} has no address")
    if is_served(target):
        return list(await _find_balancer(block, names, target))
    return await _RESOLVERS.get(block).addresses(target.rstrip("."))
