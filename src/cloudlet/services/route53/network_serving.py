"""Answering inside VPCs, on sockets in their networks that the keeper hands over.

VPC User Guide, "Amazon DNS server": the resolver is at the VPC's address plus two, and at 169.254.169.253.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, suppress
from socket import socket
from typing import Any, Final

from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.host.network_label import NetworkLabel, parse_network_label
from cloudlet.core.kernel.block import Block
from cloudlet.engines.keeper.client import LOST, KeeperClient, KeeperError
from cloudlet.engines.keeper.protocol import NETWORKS_CHANGED, Event
from cloudlet.services.route53.load_balancers import PLACES
from cloudlet.services.route53.name_serving import serve_vpc

log = logging.getLogger("cloudlet.dns")

_PORT: Final = 53
_LOOK_SECONDS: Final = 0.5
"""The time between two looks whether there is a keeper."""
_RETRY_SECONDS: Final = 5.0
"""The time after which sockets are asked for again that could not be opened."""


async def serve_networks(block: Block) -> None:
    """Answer in all networks that VPCs have, for ever."""
    await _Networks(block).run()


class _Networks:
    """The networks that are answered in."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._changed = asyncio.Event()
        self._is_lost = False
        self._keeper = open_keeper(block, self._take_event)
        self._serving: dict[tuple[str, str], asyncio.Task[None]] = {}
        """By the network and its label: what is answered changes with that."""

    def _take_event(self, event: Event) -> None:
        if event == LOST:
            self._is_lost = True
        if event == LOST or event.name == NETWORKS_CHANGED:
            self._changed.set()

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                with suppress(KeeperError):
                    await self._update()
                with suppress(TimeoutError):
                    # A keeper that runs tells of changes.
                    async with asyncio.timeout(None if self._keeper.is_connected else _LOOK_SECONDS):
                        await self._changed.wait()
        finally:
            await self._stop(list(self._serving))
            self._keeper.close()

    async def _update(self) -> None:
        """Answer in the networks that there are now. Raises KeeperError."""
        if self._is_lost:
            self._is_lost = False
            await self._stop(list(self._serving))
        found: dict[str, Any] = {}
        if await self._keeper.connect_if_running():
            found = await self._keeper.call("describe_labels")
        wanted = {(name, network["label"]): network["resolvers"] for name, network in found.items()}
        labels = {key: parse_network_label(key[1]) for key in wanted}
        places = PLACES.get(self._block)
        places.clear()
        places.update((each.account, each.region) for each in labels.values())
        await self._stop([key for key in self._serving if key not in wanted])
        for key, resolvers in wanted.items():
            if key not in self._serving:
                serving = self._serve(key[0], labels[key], resolvers)
                self._serving[key] = asyncio.get_running_loop().create_task(serving)

    async def _stop(self, keys: list[tuple[str, str]]) -> None:
        tasks = [self._serving.pop(key) for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, vpc: str, label: NetworkLabel, resolvers: list[str]) -> None:
        """Answer in one network until it is gone."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    for address in resolvers:
                        group.create_task(_serve_address(self._block, self._keeper, vpc, label, address))
            except* (KeeperError, OSError) as failures:
                log.warning("no names are answered in %s: %s", vpc, failures.exceptions[0])
            await asyncio.sleep(_RETRY_SECONDS)


async def _serve_address(block: Block, keeper: KeeperClient, vpc: str, label: NetworkLabel, address: str) -> None:
    with ExitStack() as opened:

        async def listen(*, datagrams: bool) -> socket:
            made = await keeper.call_for_socket("listen", network=vpc, address=address, port=_PORT, datagrams=datagrams)
            return opened.enter_context(made)

        await serve_vpc(block, vpc, label, await listen(datagrams=True), await listen(datagrams=False))
