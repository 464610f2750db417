"""A Cloudlet whose blocks run in processes of their own: how each of them is started, and knows the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudlet.core.kernel.cloud import Config, list_blocks, list_blocks_with_data
from cloudlet.edge.fleet import LaunchSpec, Patience, Supervisor
from cloudlet.edge.instances import ADMIN_HEADER
from cloudlet.edge.listeners import DaemonSockets
from cloudlet.edge.ports import remember, remembered


@dataclass(frozen=True, slots=True)
class BlockProcess:
    """What the process of a block is told."""

    name: str
    data: Path
    endpoint: str
    """The URL of the front door."""
    peers: Mapping[str, str]
    """The URLs of the other blocks."""
    sockets: Sequence[int]
    """The descriptors of the sockets that it answers on: see `Launcher`."""
    admin_token: str


@dataclass(frozen=True, slots=True)
class BlockLauncher:
    """How blocks are started, and how long each may go without an answer."""

    launch: Callable[[BlockProcess], LaunchSpec]
    patience: Patience | None
    """None: for ever."""


def make_supervised_blocks(
    blocks: BlockLauncher,
    services: frozenset[str] | None,
    config: Config,
    admin_token: str,
    daemons: Mapping[str, DaemonSockets],
) -> Supervisor:
    """Return the blocks of `services` (None: all) as processes; each starts when it is first used.

    `daemons` has the sockets of blocks that are daemons too.
    """
    names = sorted(list_blocks() if services is None else services)

    def launcher(name: str, sockets: Sequence[int]) -> LaunchSpec:
        peers = {other: f"http://127.0.0.1:{port}" for other, port in fleet.ports.items() if other != name}
        peers |= {other: url for other, url in config.peers.items() if other not in fleet}
        return blocks.launch(BlockProcess(name, config.data, config.endpoint, peers, sockets, admin_token))

    fleet = Supervisor(
        names,
        launcher,
        lambda: list_blocks_with_data(config, names),
        {ADMIN_HEADER: admin_token},
        daemons,
        remembered(config.data),
        blocks.patience,
    )
    remember(config.data, fleet.ports)
    return fleet
