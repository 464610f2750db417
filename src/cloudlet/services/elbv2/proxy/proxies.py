"""The Envoys that a block knows: their configuration, their sockets, their reports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.statistics import Statistics
from cloudlet.engines.keeper.client import LOST
from cloudlet.engines.keeper.protocol import Event, open_folder
from cloudlet.services.elbv2.proxy import (
    access_log,
    access_logging,
    authenticating,
    authentication,
    connection_log,
    functions,
    grpc_checks,
    health_checks,
    log_files,
    machine_checks,
    names,
    token_validation,
)
from cloudlet.services.elbv2.proxy.block_server import BlockServer, Request, Response, make_page
from cloudlet.services.elbv2.proxy.error_reasons import ErrorReasons, find_metric
from cloudlet.services.elbv2.proxy.forwarding import list_listener_groups
from cloudlet.services.elbv2.proxy.measuring import PATTERN, Meters
from cloudlet.services.elbv2.proxy.readings import Readings
from cloudlet.services.elbv2.proxy.snapshots import Paths, leave_out, make_datagram_snapshot, make_snapshot
from cloudlet.services.elbv2.proxy.target_health import HealthStates
from cloudlet.services.elbv2.proxy.view import Description, Listener, LoadBalancer, TargetGroup, View
from cloudlet.store.eager import spawn

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

VpcKey = tuple[str, str, str]
"""The account, the region and the id of a VPC."""
_BLOCK_SOCKET: Final = "block"
_HEALTH_EVENTS: Final = "health"
PATHS: Final = Paths(
    f"{program.PLACE}/{_BLOCK_SOCKET}",
    f"{program.PLACE}/{_HEALTH_EVENTS}",
    has_module=program.find_module() is not None,
)
"""The files as Envoy sees them."""


class EnvoyProcess:
    """An Envoy of a VPC: one is for connections, another one for datagrams."""

    def __init__(self, node: str, folder: Path, *, has_datagrams: bool) -> None:
        self.node = node
        self.folder = folder
        self.has_datagrams = has_datagrams
        self.is_wanted = not has_datagrams
        self.read_bytes = 0
        """The size of what was read of the file of events."""
        self.readings = Readings(folder, self.shared / program.ADMIN_SOCKET)

    @property
    def container(self) -> str:
        """The name by which the keeper knows it."""
        return f"load balancers of {self.node}"

    @property
    def shared(self) -> Path:
        """The folder that it sees."""
        return self.folder / "shared"

    @property
    def health_events(self) -> Path:
        return self.shared / _HEALTH_EVENTS


class ServedVpc:
    """A VPC whose load balancers are served."""

    def __init__(self, key: VpcKey, folder: Path) -> None:
        self.key = key
        node = "/".join(key)
        self.envoy = EnvoyProcess(node, folder, has_datagrams=False)
        self.datagrams = EnvoyProcess(f"{node}/datagrams", folder / "datagrams", has_datagrams=True)
        self.view = View(*key)
        self.ports: dict[str, dict[int, int]] = {}
        """The ports that listeners have on this machine, where they are others, by addresses."""
        self.states = HealthStates()
        self.balancing = ""
        """The commands that its router has (`balancing`); empty where that is not known."""
        self.listeners: dict[str, tuple[LoadBalancer, Listener]] = {}
        self.actions: dict[str, tuple[LoadBalancer, Listener, Description]] = {}
        """The actions that authenticate users, by their keys."""
        self.server: asyncio.Server | None = None
        """The server at which the block answers."""

    @property
    def envoys(self) -> tuple[EnvoyProcess, EnvoyProcess]:
        return self.envoy, self.datagrams

    def set_view(self, view: View) -> None:
        """Have another view of the load balancers."""
        self.view = view
        self.states.keep_only(
            {(arn, each.address, each.port) for arn, group in view.target_groups.items() for each in group.targets}
        )
        self.listeners = {each.arn: (owner, each) for owner in view.load_balancers for each in owner.listeners}
        self.actions = {
            key: (owner, listener, action)
            for owner, listener in self.listeners.values()
            for key, action in authenticating.list_actions(listener).items()
        }

    def set_ports(self, ports: dict[str, dict[int, int]]) -> bool:
        """Have other ports on this machine; return whether they are others."""
        is_changed, self.ports = ports != self.ports, ports
        return is_changed

    def loses(self, view: View) -> bool:
        """Whether another view has no more what the known one has."""
        kept = {each.arn for owner in view.load_balancers for each in owner.listeners} | view.target_groups.keys()
        return not kept >= self.listeners.keys() | self.view.target_groups.keys()

    def list_states(self, group: TargetGroup) -> list[tuple[str, str]]:
        """Return the zones and the states of the registered targets of a group."""
        targets = [each for each in group.targets if each.draining_until is None]
        return [(each.zone, self.states.get(group.arn, each.address, each.port).state) for each in targets]


class Proxies:
    """All Envoys of a block."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.keeper = open_keeper(block, self._take_event)
        self.server = ConfigurationServer(logged=self._take_log)
        self.served: dict[VpcKey, ServedVpc] = {}
        self.meters = Meters(is_wanted=block.cloud.has("cloudwatch"))
        self.logs = log_files.LogFiles(block.cloud.config.data / "work" / "elbv2" / "logs")
        self.reasons = ErrorReasons()
        self.ended = asyncio.Event()
        """Set when an Envoy or the keeper has ended."""
        self._by_node: dict[str, ServedVpc] = {}
        self._opening = asyncio.Lock()

    def _take_event(self, event: Event) -> None:
        if event == LOST:
            for served in self.served.values():
                served.balancing = ""
        containers = {each.container for served in self.served.values() for each in served.envoys}
        if event == LOST or (event.name == "container_ended" and event.about["name"] in containers):
            self.ended.set()

    async def serve(self, key: VpcKey) -> ServedVpc:
        """Return a VPC whose Envoy is answered from now on. Raises OSError."""
        async with self._opening:
            found = self.served.get(key)
            if found is None:
                name = sha256("/".join(key).encode()).hexdigest()[:16]
                found = ServedVpc(key, self._block.cloud.config.data / "work" / "elbv2" / name)
                await self._listen(found)
                self.served[key] = found
                self._by_node |= {each.node: found for each in found.envoys}
            return found

    async def _listen(self, served: ServedVpc) -> None:
        async def answer(request: Request) -> Response | None:
            response = await self._answer(served, request)
            if response is not None:
                self._record(served, request, response)
            return response

        for each in served.envoys:
            await asyncio.to_thread(program.prepare_folder, each.folder)
            await self.server.listen_at(each.shared / program.CONFIGURATION_SOCKET)
        end = _bind(served.envoy.shared / _BLOCK_SOCKET)
        served.server = await asyncio.get_running_loop().create_unix_server(BlockServer(answer).make_protocol, sock=end)

    def set_view(self, served: ServedVpc, view: View, left_out: Collection[str] = ()) -> None:
        """Have the Envoys of a VPC be as a view says, without some listeners."""
        served.set_view(view)
        datagrams = make_datagram_snapshot(view, PATHS)
        served.datagrams.is_wanted = bool(datagrams.listeners)
        for envoy, snapshot in ((served.envoy, make_snapshot(view, PATHS)), (served.datagrams, datagrams)):
            self.server.set_snapshot(envoy.node, leave_out(snapshot, left_out))

    async def stop(self, key: VpcKey) -> None:
        """Answer no more for a VPC."""
        served = self.served.pop(key, None)
        if served is not None:
            for each in served.envoys:
                self._by_node.pop(each.node, None)
                self.server.forget(each.node)
                self.server.stop_listening_at(each.shared / program.CONFIGURATION_SOCKET)
            if served.server is not None:
                served.server.close()

    async def close(self) -> None:
        """Answer no more. Envoys go on."""
        for key in list(self.served):
            await self.stop(key)
        await self.server.close()
        self.keeper.close()

    # What Envoys ask and tell

    async def _answer(self, served: ServedVpc, request: Request) -> Response | None:
        block = self._block
        group = served.view.target_groups.get(request.get(names.TARGET_GROUP))
        if group is not None and health_checks.is_by_block(group):
            if health_checks.is_by_call(group):
                return await grpc_checks.answer(self.keeper, served.view, group, request)
            return await machine_checks.answer(request)
        if group is not None:
            return await functions.answer(block, group, request) if group.targets else make_page(503)
        if request.target.startswith(authenticating.PREFIX):
            return await self._authenticate(served, request)
        if request.get(names.RULE) in served.listeners:
            owner, _ = served.listeners[request.get(names.RULE)]
            actions = {key: action for key, (each, _, action) in served.actions.items() if each is owner}
            return await authentication.take_callback(block, owner.arn, actions, request)
        # What has just been deleted is asked for once more.
        return make_page(503)

    def _record(self, served: ServedVpc, request: Request, response: Response) -> None:
        """Note for logs and metrics what has become of a request."""
        metric, trace = response.metric or find_metric(response.error), request.get("x-amzn-trace-id")
        if response.error and trace:
            self.reasons.note(trace, response.error)
        # Health checks have none.
        if not metric or not trace:
            return
        group = served.view.target_groups.get(request.get(names.TARGET_GROUP))
        if group is not None:
            self.meters.count_group(served.view, group, metric)
            return
        key = request.target.removeprefix(authenticating.PREFIX).partition("/")[0]
        found = served.listeners.get(request.get(names.RULE)) or served.actions.get(key)
        if found is not None:
            self.meters.count(served.view, found[0], metric)

    async def _authenticate(self, served: ServedVpc, request: Request) -> Response:
        block = self._block
        key, _, path = request.target.removeprefix(authenticating.PREFIX).partition("/")
        original = Request(request.method, f"/{path}", request.headers, b"")
        if key not in served.actions:
            return make_page(500)
        owner, listener, action = served.actions[key]
        if action["Type"] == "jwt-validation":
            return await token_validation.validate(block, action, original)
        if action["Type"] != "authenticate-oidc":
            # There are no user pools of Amazon Cognito.
            return make_page(500)
        port = listener.description["Port"]
        if request.get(names.ADDRESS) == owner.machine_address:
            port = owner.find_machine_port(port)
        return await authentication.authenticate(block, owner.arn, key, action, original, port)

    async def _take_log(self, node: str, name: str, entries: list[Any]) -> None:
        served = self._by_node.get(node)
        arn = name.removesuffix(access_logging.CONNECTIONS)
        if served is None or arn not in served.listeners:
            return
        view = served.view
        balancer, listener = served.listeners[arn]
        kind = log_files.CONNECTIONS if name != arn and balancer.is_application else log_files.ACCESS
        lines = []
        for entry in entries:
            if name == arn:
                reason = self.reasons.take(entry.request.request_headers.get("x-amzn-trace-id", ""))
                lines.append(access_log.format_line(view, balancer, listener, entry, reason))
            elif balancer.is_application:
                lines.append(connection_log.format_line(listener, entry))
            else:
                lines.append(connection_log.format_network_line(view, balancer, listener, entry))
        if await self.logs.add(kind, view, balancer, lines):
            spawn(self.logs.write(self._block))

    async def measure(self, served: ServedVpc) -> None:
        """Measure what the Envoys of a VPC have counted since this was last done. Raises OSError."""
        # Of a VPC that is about to be served nothing is known yet: what was counted is read later.
        if not self.meters.is_wanted or not served.view.load_balancers:
            return
        counted = Statistics()
        for each in served.envoys:
            if each.is_wanted:
                # One that does not run, or not yet, or no more, tells nothing.
                with suppress(FileNotFoundError, ConnectionError):
                    counted += await each.readings.take(PATTERN)
        self.meters.add(served.view, counted)

    def measure_hosts(self, now: float) -> None:
        """Note how many targets of each group are healthy."""
        for served in self.served.values():
            for owner in served.view.load_balancers:
                for arn in {each for listener in owner.listeners for each in list_listener_groups(listener)}:
                    group = served.view.target_groups.get(arn)
                    if group is not None:
                        self.meters.add_hosts(served.view, owner, group, served.list_states(group), now)


def _bind(path: Path) -> socket.socket:
    """Return a socket at a path, in the place of a former one."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with open_folder(path) as short:
        made.bind(short)
    path.chmod(0o666)
    made.setblocking(False)
    return made


PROXIES: Final = PerBlock(Proxies)
