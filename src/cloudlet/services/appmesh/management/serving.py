"""The server of configurations, which follows all that they are made of.

A change in a mesh is notified by the store, and is with the mesh's Envoys milliseconds later. Addresses and
certificates are looked up again and again, while an Envoy needs them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import best_effort
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.envoy.configuration_server import ConfigurationServer, EncodedSnapshot
from cloudlet.engines.envoy.snapshot import Snapshot
from cloudlet.services.appmesh import storing
from cloudlet.services.appmesh.kinds import MESH
from cloudlet.services.appmesh.management import ports
from cloudlet.services.appmesh.management.admission import admit, check_certificates
from cloudlet.services.appmesh.management.certificates import CertificateBook, Key
from cloudlet.services.appmesh.management.discovery import AddressBook, Lookup, make_lookup
from cloudlet.services.appmesh.proxy.building import build
from cloudlet.services.appmesh.proxy.needs import list_called_nodes, list_own_certificates, list_trusts
from cloudlet.services.appmesh.proxy.node_id import VIRTUAL_GATEWAY, EnvoyNode
from cloudlet.services.appmesh.proxy.view import MeshView, Surroundings, make_view
from cloudlet.services.appmesh.resource_record import Place

log = logging.getLogger("cloudlet.appmesh")

_TICK_SECONDS: Final = 0.5
_START_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 5.0
_LOOKUP_SECONDS: Final = 0.5
"""The time that an update waits for new names to be found."""
_ARRIVAL_SECONDS: Final = 2.5
"""The same for an Envoy that connects."""
MeshKey = tuple[str, str, str]
"""The account, region and name of a mesh."""


@dataclass(slots=True)
class _Mesh:
    """A mesh whose Envoys are connected."""

    stop_watching: Callable[[], None]
    view: MeshView | None = None
    is_read: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    retry_at: float = 0.0
    """The time from which it may be read again, after that has failed."""


@dataclass(slots=True)
class _Envoy:
    node: EnvoyNode
    view: MeshView | None = None
    """The mesh as its configuration was made of it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    """The service discovery of virtual nodes that it calls, by their names."""
    certificates: dict[str, Key] = field(default_factory=dict)
    authorities: dict[str, Key] = field(default_factory=dict)
    """Certificates whose authorities it trusts."""

    @property
    def keys(self) -> set[Key]:
        """All certificates that it needs."""
        return {*self.certificates.values(), *self.authorities.values()}


class ManagementServer:
    """The Envoys of all meshes, and what they are served. Used from one event loop."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.server = ConfigurationServer(self._find)
        self.port = 0
        self.path = ""
        self.is_listening = asyncio.Event()
        self._meshes: dict[MeshKey, _Mesh] = {}
        self.envoys: dict[str, _Envoy] = {}
        self._arriving: list[_Envoy] = []
        """The Envoys that are about to be connected."""
        self._changed = asyncio.Event()
        self._addresses = AddressBook(block)
        self._certificates = CertificateBook(block)

    async def run(self) -> None:
        """Serve, for ever."""
        listener = await ports.bind(self._block)
        self.port, path = listener.getsockname()[1], ports.find_path(self._block)
        await self.server.listen(listener)
        await self.server.listen_at(path)
        self.path = str(path)
        self.is_listening.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                # Names may be slow to find, which holds up no change.
                group.create_task(self._look_around())
        finally:
            for mesh in self._meshes.values():
                mesh.stop_watching()
            self._meshes.clear()
            self.envoys.clear()
            await self.server.close()

    async def _find(self, node_id: str, headers: Mapping[str, str]) -> EncodedSnapshot | None:
        """Return the configuration of an Envoy that connects. Raises CallRefusal."""
        admission = await admit(self._block, node_id, headers)
        if admission is None:
            return None
        envoy = _Envoy(admission.node)
        self._arriving.append(envoy)
        try:
            found = await self._configure(node_id, envoy, _ARRIVAL_SECONDS)
            if found is not None:
                check_certificates(admission, envoy.certificates)
                self.envoys[node_id] = envoy
            return found
        finally:
            self._arriving.remove(envoy)
            # What has changed meanwhile is looked at next.
            self._changed.set()

    async def _read_mesh(self, key: MeshKey) -> MeshView | None:
        """Return a mesh as it is now; None where there is none."""
        mesh = self._meshes.get(key)
        if mesh is None:
            mesh = self._meshes[key] = _Mesh(lambda: None)
            mesh.stop_watching = self._block.store.watch(storing.make_topic(*key), lambda: self._forget_mesh(key))
        async with mesh.lock:
            while not mesh.is_read:
                mesh.is_read = True
                try:
                    mesh.view = await self._block.store.transact(lambda tx: _load(tx, key))
                except BaseException:
                    mesh.is_read, mesh.retry_at = False, time.monotonic() + _RETRY_SECONDS
                    raise
        return mesh.view

    def _forget_mesh(self, key: MeshKey) -> None:
        """Have a mesh read again, as it has changed."""
        self._meshes[key].is_read, self._meshes[key].retry_at = False, 0.0
        self._changed.set()

    async def _configure(self, name: str, envoy: _Envoy, max_seconds: float) -> EncodedSnapshot | None:
        """Return the configuration of an Envoy; None where its mesh has no such node."""
        view = await self._read_mesh(_get_key(envoy.node))
        envoy.view = view
        if view is None or not self._note_needs(envoy, view):
            return None
        # Nothing is to be led to what has no address yet, but would have one within these seconds.
        with suppress(TimeoutError):
            async with asyncio.timeout(max_seconds):
                new = [each for each in envoy.lookups.values() if not self._addresses.has(each)]
                await self._addresses.refresh(new)
        await self._certificates.refresh(envoy.keys)
        built = self._build(envoy, view)
        return None if built is None else await self.server.encode(name, built)

    def _note_needs(self, envoy: _Envoy, view: MeshView) -> bool:
        """Note what an Envoy's configuration needs; return whether the mesh has its node."""
        node, (account, region, _) = envoy.node, _get_key(envoy.node)
        own = (view.gateways if node.kind == VIRTUAL_GATEWAY else view.nodes).get(node.name)
        if own is None:
            return False
        envoy.lookups = {}
        for name in list_called_nodes(view, node):
            spec = view.nodes[name]
            if spec.get("serviceDiscovery"):
                preference = view.get_ip_preference(spec)
                envoy.lookups[name] = make_lookup(account, region, spec["serviceDiscovery"], preference)
        envoy.certificates = {arn: (account, region, arn) for arn in list_own_certificates(view, node)}
        envoy.authorities = {arn: (account, region, arn) for arns in list_trusts(own) for arn in arns}
        return True

    def _build(self, envoy: _Envoy, view: MeshView) -> Snapshot | None:
        found = {arn: self._certificates.find(key) for arn, key in envoy.certificates.items()}
        surroundings = Surroundings(
            {name: self._addresses.find(lookup) for name, lookup in envoy.lookups.items()},
            {arn: each for arn, each in found.items() if each is not None},
            {arn: self._certificates.find_authority(key) for arn, key in envoy.authorities.items()},
        )
        return build(view, envoy.node, surroundings)

    async def _follow(self) -> None:
        """Bring Envoys up to date as meshes change, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            for name in self.envoys.keys() - set(self.server.connected):
                del self.envoys[name]
                self.server.forget(name)
            await self._update_all(self._is_outdated)

    async def _update_all(self, needs_update: Callable[[_Envoy], bool]) -> None:
        """Update Envoys, of which one that fails holds up no other."""
        for name, envoy in list(self.envoys.items()):
            if needs_update(envoy):
                await best_effort(self._block, f"the configuration of {name}", partial(self._update, name, envoy))

    def _is_outdated(self, envoy: _Envoy) -> bool:
        """Whether a mesh has changed since an Envoy's configuration was made."""
        mesh = self._meshes.get(_get_key(envoy.node))
        if mesh is None or not mesh.is_read:
            return mesh is None or mesh.retry_at <= time.monotonic()
        return envoy.view is not mesh.view

    async def _update(self, name: str, envoy: _Envoy) -> None:
        """Serve an Envoy the mesh as it is now.

        One whose node is gone is served no more. One that needs other certificates has to connect again, where
        permissions are enforced: whoever has its streams may not be allowed to have these.
        """
        async with envoy.lock:
            before = envoy.certificates
            found = await self._configure(name, envoy, _LOOKUP_SECONDS)
            if self.envoys.get(name) is not envoy:
                # It has left meanwhile, or another one of its id has come with a later configuration.
                pass
            elif found is not None and not (self._block.is_strict and envoy.certificates.keys() - before.keys()):
                self.server.set_snapshot(name, found)
            else:
                log.info("%s has to connect again", name)
                del self.envoys[name]
                self.server.forget(name)
        # Requests come between two Envoys.
        await asyncio.sleep(0)

    async def _look_around(self) -> None:
        """Look addresses and certificates up, and update Envoys as these change, for ever."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await best_effort(self._block, "a look at addresses", self._look_once)

    async def _look_once(self) -> None:
        envoys = [*self._arriving, *self.envoys.values()]
        lookups = {lookup for envoy in envoys for lookup in envoy.lookups.values()}
        keys = {key for envoy in envoys for key in envoy.keys}
        self._addresses.keep(lookups)
        self._certificates.keep(keys)
        moved = await self._addresses.refresh(lookups)
        renewed = await self._certificates.refresh(keys)
        await self._update_all(lambda envoy: bool(moved & set(envoy.lookups.values()) or renewed & envoy.keys))
        used = {_get_key(envoy.node) for envoy in (*self._arriving, *self.envoys.values())}
        for key in self._meshes.keys() - used:
            self._meshes.pop(key).stop_watching()


def _get_key(node: EnvoyNode) -> MeshKey:
    return node.account, node.region, node.mesh


async def _load(tx: Transaction, key: MeshKey) -> MeshView | None:
    account, region, name = key
    mesh = await storing.find(tx, Place(account, region, "", MESH.title, "", name))
    if mesh is None:
        return None
    space = storing.RESOURCES.sub(*key)
    rows = await tx.range(space.begin, space.end, limit=20_000)
    return make_view(mesh, [storing.decode(raw) for _, raw in rows])


SERVERS: Final = PerBlock(ManagementServer)


async def serve(block: Block) -> None:
    """Serve Envoys, for ever."""
    await SERVERS.get(block).run()


async def show_envoys(block: Block) -> tuple[str, bytes]:
    """Return the address of the service, and in open mode the Envoys that are connected."""
    management = SERVERS.get(block)
    async with asyncio.timeout(_START_SECONDS):
        await management.is_listening.wait()
    shown: dict[str, object] = {"address": f"{ports.ADDRESS}:{management.port}", "socket": management.path}
    if not block.is_strict:
        shown["envoys"] = [
            {
                "id": name,
                "isApplied": management.server.has_applied(name),
                "refusals": {kind.name: text for kind, text in management.server.list_refusals(name).items()},
            }
            for name in sorted(management.envoys)
        ]
    return "application/json", msgspec.json.encode(shown)
