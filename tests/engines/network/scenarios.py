"""Scenarios of networks, each in a process of its own: `python -m tests.engines.network.scenarios NAME USER`."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cloudlet.engines.keeper.networks import Networks
from cloudlet.engines.network import datagram_egress, egress, endpoint_addresses, nftables, router, security_groups
from cloudlet.engines.network.endpoint_addresses import MACHINE
from cloudlet.engines.network.namespaces import Namespaces, enter_user_namespace
from cloudlet.engines.network.peering import link
from cloudlet.engines.network.router import METADATA, Interface, Router
from cloudlet.engines.network.security_groups import Group, Rule
from cloudlet.engines.network.transparent_proxy import Goal, TransparentProxy

_NOBODY = 65534
_PR_SET_DUMPABLE = 4
EVERYWHERE = IPv4Network("0.0.0.0/0")
ALL = Rule("-1", -1, -1, EVERYWHERE)


class Network:
    """A virtual network with some interfaces, 10.0.1.N or of another prefix."""

    def __init__(self, namespaces: Namespaces, prefix: str = "10.0") -> None:
        self.namespaces = namespaces
        self.router = Router(namespaces, IPv4Network(f"{prefix}.0.0/16"))
        self.prefix = prefix
        self.interfaces: dict[int, Interface] = {}

    async def open(self, *numbers: int) -> Network:
        await self.router.open()
        for number in numbers:
            self.interfaces[number] = await self.router.attach(
                self.address(number), IPv4Network(f"{self.prefix}.1.0/24")
            )
        return self

    def address(self, number: int) -> IPv4Address:
        return IPv4Address(f"{self.prefix}.1.{number}")

    async def within(self, number: int, function: Callable[[], Any]) -> Any:
        return await asyncio.wrap_future(self.namespaces.run(self.interfaces[number].namespace, function))

    async def filter(self, commands: str) -> None:
        await self.router.run(partial(nftables.run, commands))

    async def join(self, groups: Mapping[int, Group | None]) -> None:
        """Have each interface be a member of a group, or of none, and all filters be written anew."""
        named = {group.name: group for group in groups.values() if group is not None}
        members: dict[tuple[str, ...], list[IPv4Address]] = {}
        for number, group in groups.items():
            members.setdefault((group.name,) if group else (), []).append(self.address(number))
        texts = [security_groups.write_base(self.router.network), *map(security_groups.write_group, named.values())]
        await self.filter("".join([*texts, *security_groups.write_members(members)]))

    async def serve(self, number: int, port: int, answer: bytes = b"ok") -> None:
        bound = await self.within(number, partial(router._bind, IPv4Address("0.0.0.0"), port, datagrams=False))

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer + b" " + writer.get_extra_info("peername")[0].encode())
            writer.close()

        await asyncio.start_server(handle, sock=bound)

    async def ask(self, number: int, address: str, port: int, seconds: int = 3) -> str:
        """Connect from an interface, and return what is answered, or the name of the error."""
        made = await self.within(number, partial(router._make_socket, socket.SOCK_STREAM))
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(made, (address, port))
            reader, writer = await asyncio.open_connection(sock=made)
            async with asyncio.timeout(5):
                said = await reader.read()
            writer.close()
            return said.decode()
        except (OSError, TimeoutError) as error:
            made.close()
            return type(error).__name__

    async def ask_in_vain(self, number: int, address: str, port: int) -> str:
        """Ask where no answer is expected: the kernel, which nothing holds up, would connect at once."""
        return await self.ask(number, address, port, seconds=1)


def _make_ping_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    made.setblocking(False)
    return made


async def pings(namespaces: Namespaces) -> Any:
    network = await Network(namespaces).open(5, 6)
    await network.join({5: Group("server", incoming=(Rule("icmp", 8, -1, EVERYWHERE),)), 6: None})
    loop = asyncio.get_running_loop()
    found = []
    for number, target in ((6, 5), (5, 6)):
        with await network.within(number, _make_ping_socket) as made:
            try:
                made.connect((str(network.address(target)), 0))
                await loop.sock_sendall(made, struct.pack("!BBHHH4s", 8, 0, 0, 0, 1, b"echo"))
                async with asyncio.timeout(0.5):
                    found.append((await loop.sock_recv(made, 100))[-4:].decode())
            except TimeoutError:
                found.append("lost")
    return found


async def isolation(namespaces: Namespaces) -> Any:
    one, other = await Network(namespaces).open(5, 6), await Network(namespaces).open(5, 7)
    await one.serve(5, 80, b"one")
    await other.serve(5, 80, b"other")
    found = [await one.ask(6, "10.0.1.5", 80), await other.ask(7, "10.0.1.5", 80)]
    found += [await one.ask_in_vain(6, "10.0.1.7", 80)]
    await one.router.detach(one.interfaces.pop(5))
    return [*found, await one.ask_in_vain(6, "10.0.1.5", 80)]


async def moved(namespaces: Namespaces) -> Any:
    """Give an address to a new interface before another one has lost it."""
    network = await Network(namespaces).open(5, 6)
    await network.router.set_further_addresses(network.interfaces[5], {network.address(9)})
    network.interfaces[9] = await network.router.attach(network.address(9), IPv4Network("10.0.1.0/24"))
    await network.serve(9, 80)
    await network.router.set_further_addresses(network.interfaces[5], set())
    return await network.ask(6, "10.0.1.9", 80)


async def peers(namespaces: Namespaces) -> Any:
    one = await Network(namespaces).open(5, 6)
    other = await Network(namespaces, "10.1").open(7, 8)
    third = await Network(namespaces, "10.2").open(9)
    for each, number in ((one, 6), (other, 7), (third, 9)):
        await each.join(dict.fromkeys(each.interfaces, Group("all", (ALL,), (ALL,))))
        await each.serve(number, 80)
    (near, far), (back, away) = await link(0, one.router, other.router), await link(1, other.router, third.router)
    found = [await one.ask(5, "10.1.1.7", 80)]
    await near.set_routes({other.router.network, third.router.network})
    found += [await one.ask_in_vain(5, "10.1.1.7", 80)]
    await far.set_routes({one.router.network})
    await back.set_routes({third.router.network})
    await away.set_routes({one.router.network, other.router.network})
    found += [await one.ask(5, "10.1.1.7", 80), await other.ask(8, "10.0.1.6", 80), await other.ask(8, "10.2.1.9", 80)]
    found += [await one.ask_in_vain(5, "10.2.1.9", 80)]
    await other.join({7: Group("web", (Rule("tcp", 80, 80, IPv4Network("10.0.1.5/32")),), (ALL,)), 8: Group("closed")})
    found += [await one.ask(5, "10.1.1.7", 80)]
    found += [await one.ask_in_vain(6, "10.1.1.7", 80), await other.ask_in_vain(8, "10.0.1.6", 80)]
    await far.remove()
    return [*found, await one.ask(5, "10.1.1.7", 80)]


async def metadata(namespaces: Namespaces) -> Any:
    network = await Network(namespaces).open(5)
    listener = await network.router.listen(METADATA, 80)
    asking = asyncio.ensure_future(network.ask(5, str(METADATA), 80))
    connection, client = await asyncio.get_running_loop().sock_accept(listener)
    connection.send(b"you are known")
    connection.close()
    return [client[0], await asking]


async def groups(namespaces: Namespaces) -> Any:
    network = await Network(namespaces).open(5, 6, 7)
    await network.serve(5, 80)
    await network.serve(5, 443)
    web, client, closed = (
        Group("web", (Rule("tcp", 80, 90, "client"),), (ALL,)),
        Group("client", (), (ALL,)),
        Group("closed"),
    )

    await network.filter(security_groups.write_base(network.router.network))
    found = [await network.ask_in_vain(6, "10.0.1.5", 80)]
    await network.join({5: web, 6: client, 7: closed})
    found += [await network.ask(6, "10.0.1.5", 80), await network.ask_in_vain(6, "10.0.1.5", 443)]
    found += [await network.ask_in_vain(7, "10.0.1.5", 80)]
    await network.join({5: web, 6: client, 7: client})
    found += [await network.ask(7, "10.0.1.5", 80)]
    await network.join({5: Group("web"), 6: client, 7: client})
    return [*found, await network.ask_in_vain(6, "10.0.1.5", 80)]


async def free(namespaces: Namespaces) -> Any:
    """Reach something that has no groups, as a load balancer may, and be reached by it."""
    network = await Network(namespaces).open(5, 6, 7)
    for number in network.interfaces:
        await network.serve(number, 80)
    one = Group("one", (Rule("tcp", 80, 80, IPv4Network("10.0.1.7/32")),), (ALL,))
    await network.join({5: one, 6: Group("other", (), (ALL,)), 7: None})
    found = [await network.ask(6, "10.0.1.7", 80), await network.ask(7, "10.0.1.5", 80)]
    return [*found, await network.ask_in_vain(7, "10.0.1.6", 80), await network.ask_in_vain(6, "10.0.1.5", 80)]


async def way_out(namespaces: Namespaces) -> Any:
    network = await Network(namespaces).open(5, 6)
    await network.join({5: Group("open", (), (ALL,)), 6: Group("closed")})
    proxy = network.router.resolver
    await network.filter(egress.write_rules([network.router.network], proxy))
    reached: list[tuple[str, int]] = []

    async def noted(goal: Goal) -> socket.socket | None:
        reached.append((str(goal.address), goal.port))
        if str(goal.address) == "203.0.113.7":
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.send(b"from outside")
            theirs.close()
            return ours
        return await egress.connect(goal)

    out = TransparentProxy(await network.router.listen(proxy, egress.PORT), noted)
    host = _own_address()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    found = [await network.ask(5, "203.0.113.7", 80), await network.ask(5, host, port)]
    found += [await network.ask_in_vain(6, "203.0.113.7", 80)]
    await out.close()
    return [*found, (host, port) in reached, len(reached)]


async def endpoints(namespaces: Namespaces) -> Any:
    """Reach something by its endpoint from its own network, from another one, and not where it is internal."""
    networks = Networks(namespaces)
    for name in ("one", "other"):
        await networks.make(name, "10.0.0.0/16")
        await networks.attach(name, "task", "10.0.1.5", "10.0.1.0/24")
    await networks.attach("one", "balancer", "10.0.1.7", "10.0.1.0/24", is_sharing=True)
    group = Group("open", (ALL,), (ALL,))
    texts = [security_groups.write_base(IPv4Network("10.0.0.0/16")), security_groups.write_group(group)]
    texts += security_groups.write_members({("open",): [IPv4Address("10.0.1.5"), IPv4Address("10.0.1.7")]})
    for name in ("one", "other"):
        await networks.filter(name, "".join(texts))
    endpoint = f"127.64.{os.getpid() % 200}.{os.getpid() % 199 + 1}"
    shared = networks.get_namespace("one", "")

    async def within(namespace: int, function: Callable[[], Any]) -> Any:
        return await asyncio.wrap_future(namespaces.run(namespace, function))

    async def serve(bound: socket.socket | None, answer: bytes) -> int:
        assert bound is not None

        async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer + b" " + writer.get_extra_info("peername")[0].encode())
            writer.close()

        server = await asyncio.start_server(handle, sock=bound)
        return int(server.sockets[0].getsockname()[1])

    async def ask(network: str, interface: str, address: str, port: int) -> str:
        made = await within(
            networks.get_namespace(network, interface), partial(router._make_socket, socket.SOCK_STREAM)
        )
        if not interface:
            # A load balancer connects by its own address.
            made.bind(("10.0.1.7", 0))
        try:
            async with asyncio.timeout(3):
                await asyncio.get_running_loop().sock_connect(made, (address, port))
                reader, writer = await asyncio.open_connection(sock=made)
                said = await reader.read()
                writer.close()
                return said.decode()
        except (OSError, TimeoutError) as error:
            made.close()
            return type(error).__name__

    await networks.set_endpoint(endpoint, "one", "10.0.1.7", is_public=True)
    await serve(await within(shared, partial(router._bind, IPv4Address("10.0.1.7"), 80, datagrams=False)), b"inside")
    await serve(networks.endpoints.listen(IPv4Address(endpoint), 80, socket.SOCK_STREAM), b"machine")
    own = await serve(router._bind(IPv4Address("127.0.0.1"), 0, datagrams=False), b"own")
    found = [await ask("one", "task", endpoint, 80), await ask("other", "task", endpoint, 80)]
    await networks.set_endpoint(endpoint, "one", "10.0.1.7", is_public=False)
    found += [await ask("one", "task", endpoint, 80), await ask("other", "task", endpoint, 80)]
    found += [await ask("one", "", str(MACHINE), own), await ask("one", "task", str(MACHINE), own)]
    await networks.detach("one", "balancer")
    found += [str(sorted(networks.describe()["one"]))]
    await networks.close()
    return found


async def ended(namespaces: Namespaces) -> Any:
    """End connections of what shares a namespace, by their source and target."""
    networks = Networks(namespaces)
    await networks.make("one", "10.0.0.0/16")
    await networks.attach("one", "task", "10.0.1.5", "10.0.1.0/24")
    for number in (7, 8):
        await networks.attach("one", f"balancer{number}", f"10.0.1.{number}", "10.0.1.0/24", is_sharing=True)
    listener = await networks.listen("one", "10.0.1.5", 80, interface="task")
    loop = asyncio.get_running_loop()

    async def connect(source: str) -> tuple[socket.socket, socket.socket]:
        made = await asyncio.wrap_future(
            namespaces.run(networks.get_namespace("one", ""), partial(router._make_socket, socket.SOCK_STREAM))
        )
        made.bind((source, 0))
        accepting = asyncio.ensure_future(loop.sock_accept(listener))
        await loop.sock_connect(made, ("10.0.1.5", 80))
        return made, (await accepting)[0]

    async def read(end: socket.socket) -> str:
        try:
            async with asyncio.timeout(0.2):
                return repr(await loop.sock_recv(end, 1))
        except (OSError, TimeoutError) as error:
            return type(error).__name__

    first, other = await connect("10.0.1.7"), await connect("10.0.1.8")
    counts = [await networks.end_connections("one", "10.0.1.5", port, ["10.0.1.7"]) for port in (81, 80, 80)]
    found = [counts, [await read(each) for each in (*first, *other)]]
    await networks.close()
    return found


async def datagrams(namespaces: Namespaces) -> Any:
    network = await Network(namespaces).open(5, 6)
    await network.join({5: Group("open", (), (ALL,)), 6: Group("closed")})
    ranges = [network.router.network]
    await network.filter(egress.write_rules(ranges, network.router.resolver, datagram_egress.PORT))
    out = datagram_egress.DatagramEgress(await network.router.run(datagram_egress.listen), network.router.run)
    host = _own_address()
    loop = asyncio.get_running_loop()
    reached: list[bytes] = []

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            reached.append(data)
            self.transport.sendto(data.upper(), addr)

    server, _ = await loop.create_datagram_endpoint(Server, ("127.0.0.1", 0))
    connect = datagram_egress._open_outside

    def lead(target: tuple[str, int]) -> socket.socket | None:
        # What is for one address outside goes to the server of this test.
        return connect(target) if target[0] != "203.0.113.7" else made(server.get_extra_info("sockname"))

    def made(target: tuple[str, int]) -> socket.socket:
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outside.setblocking(False)
        outside.connect(target)
        return outside

    datagram_egress._open_outside = lead

    async def ask(number: int, target: tuple[str, int], *texts: bytes) -> list[str]:
        client = await network.within(number, partial(router._make_socket, socket.SOCK_DGRAM))
        found = []
        with client:
            client.connect(target)
            for text in texts:
                await loop.sock_sendall(client, text)
                try:
                    async with asyncio.timeout(1):
                        found.append((await loop.sock_recv(client, 100)).decode())
                except (OSError, TimeoutError) as error:
                    found.append(type(error).__name__)
        return found

    found = [await ask(5, ("203.0.113.7", 53), b"one", b"two"), await ask(6, ("203.0.113.7", 53), b"three")]
    found += [await ask(5, (host, server.get_extra_info("sockname")[1]), b"four")]
    await out.close()
    return [*found, [each.decode() for each in reached]]


def write_leading(met: str, target: str) -> str:
    """Return the commands that lead what meets a condition to a target."""
    chain = f"chain before {{\n type nat hook prerouting priority -110; {met} dnat ip to {target}\n}}"
    return f"add table ip leading\ndelete table ip leading\ntable ip leading {{\n{chain}\n}}\n"


async def balanced(namespaces: Namespaces) -> Any:
    """Have the router lead what comes to a load balancer, 10.0.1.9, to targets, whose groups know it."""
    network = await Network(namespaces).open(5, 6, 7, 8)
    port = Rule("tcp", 80, 80, IPv4Network("10.0.1.5/32"))
    groups = {
        "client": Group("client", (), (ALL,)),
        "front": Group("front", (port,), (ALL,)),
        "back": Group("back", (Rule("tcp", 8080, 8080, "front"),)),
    }
    addresses = {number: network.address(number) for number in (5, 6, 7, 8, 9)}
    members = {
        ("client",): [addresses[5], addresses[6]],
        ("back",): [addresses[7], addresses[8]],
        ("front",): [addresses[9]],
    }
    texts = [security_groups.write_base(network.router.network), *map(security_groups.write_group, groups.values())]
    await network.filter("".join([*texts, *security_groups.write_members(members, {addresses[9]})]))
    await network.filter(endpoint_addresses.write_rules({MACHINE: addresses[9]}, network.router.resolver))
    await network.serve(7, 8080, b"seven")
    await network.serve(8, 8080, b"eight")

    met = f"ip daddr {{ 10.0.1.9, {MACHINE} }} tcp dport 80 ct mark set {security_groups.make_number(addresses[9])}"
    await network.filter(write_leading(met, "10.0.1.7:8080"))
    found = [await network.ask(5, address, 80) for address in ("10.0.1.9", str(MACHINE))]
    found += [await network.ask_in_vain(6, address, 80) for address in ("10.0.1.9", str(MACHINE))]
    return [*found, await network.ask_in_vain(5, "10.0.1.7", 8080)]


async def flows(namespaces: Namespaces) -> Any:
    """Have datagrams go on to where they were led, until the router has forgotten that; and some from the machine."""
    networks = Networks(namespaces)
    await networks.make("one", "10.0.0.0/16")
    loop = asyncio.get_running_loop()
    servers = {}
    for number in (5, 6, 7):
        await networks.attach("one", f"task{number}", f"10.0.1.{number}", "10.0.1.0/24")
        servers[number] = await networks.listen("one", "0.0.0.0", 80, interface=f"task{number}", datagrams=True)

    async def ask(client: socket.socket, target: tuple[str, int], text: bytes) -> Any:
        """Return which server has got a datagram, from whom, and whether its answer has arrived."""
        await loop.sock_sendto(client, text, target)
        waiting = {loop.create_task(loop.sock_recvfrom(server, 9)): number for number, server in servers.items()}
        done, others = await asyncio.wait(waiting, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        for each in others:
            each.cancel()
        found = []
        for each in done:
            got, source = each.result()
            await loop.sock_sendto(servers[waiting[each]], got.upper(), source)
            async with asyncio.timeout(2):
                found += [waiting[each], source[0], (await loop.sock_recv(client, 9)).decode()]
        return found

    client = await networks.open_socket("one", interface="task5", datagrams=True)
    found = []
    for number in (6, 7):
        await networks.filter("one", write_leading("ip daddr 10.0.1.9 udp dport 80", f"10.0.1.{number}:80"))
        found.append(await ask(client, ("10.0.1.9", 80), b"led"))
    found.append([await networks.forget_flows("one", f"10.0.1.{number}", 80) for number in (7, 6, 6)])
    found.append(await ask(client, ("10.0.1.9", 80), b"led"))
    await networks.set_endpoint("127.64.3.4", "one", "10.0.1.7", is_public=True)
    await networks.take_datagrams("127.64.3.4", [80])
    port = networks.endpoints.find_port(IPv4Address("127.64.3.4"), 80, socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as machine:
        machine.setblocking(False)
        found += [(await ask(machine, ("127.64.3.4", port or 0), text))[::2] for text in (b"one", b"two")]
        await networks.take_datagrams("127.64.3.4", [])
        found.append(await ask(machine, ("127.64.3.4", port or 0), b"three"))
    await networks.close()
    return found


async def many_descriptors(namespaces: Namespaces) -> Any:
    """Filter where this process has more descriptors than select(2) takes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    network = await Network(namespaces).open(5, 6)
    await network.serve(6, 80)
    await network.join({5: Group("one", (), (ALL,)), 6: Group("other", (ALL,))})
    found = [await network.ask(5, "10.0.1.6", 80)]
    try:
        await network.filter("add rule nowhere")
    except nftables.NftablesError as error:
        found.append("syntax error" in str(error))
    for each in held:
        os.close(each)
    return found


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("192.0.2.1", 9))
        return str(made.getsockname()[0])


SCENARIOS: dict[str, Callable[[Namespaces], Awaitable[Any]]] = {
    each.__name__: each
    for each in (
        pings,
        isolation,
        moved,
        peers,
        metadata,
        groups,
        free,
        way_out,
        datagrams,
        endpoints,
        ended,
        balanced,
        flows,
        many_descriptors,
    )
}


def become(user: str) -> None:
    """Go on as root, or as an ordinary user in a namespace of its own."""
    if user != "root" and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        # The files of this process in /proc are the user's again.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    if user != "root":
        enter_user_namespace()


def main(name: str, user: str) -> None:
    become(user)
    nftables.start()

    async def run() -> Any:
        namespaces = Namespaces()
        try:
            return await SCENARIOS[name](namespaces)
        finally:
            namespaces.close()

    sys.stdout.write(json.dumps(asyncio.run(run())))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
