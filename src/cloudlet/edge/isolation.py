"""A Cloudlet whose blocks run in processes of their own: how each of them is started, and knows the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudlet.core.cloud import Config, built, with_data
from cloudlet.edge.fleet import Fleet, Launch
from cloudlet.edge.internal import ADMIN_HEADER


@dataclass(frozen=True, slots=True)
class BlockProcess:
    """What the process of a block is told."""

    name: str
    data: Path
    endpoint: str
    """The URL of the front door."""
    peers: Mapping[str, str]
    """The URLs of the other blocks."""
    clients: int
    """The descriptors of the sockets on which it answers clients, and the front door."""
    front: int
    admin_token: str


BlockLauncher = Callable[[BlockProcess], Launch]


def isolated(launch: BlockLauncher, services: frozenset[str] | None, config: Config, admin_token: str) -> Fleet:
    """Return the blocks of `services` (None: all) as processes; each starts when it is first used."""
    names = sorted(built() if services is None else services)

    def launcher(name: str, clients: int, front: int) -> Launch:
        peers = {other: f"http://127.0.0.1:{port}" for other, port in fleet.ports.items() if other != name}
        peers |= {other: url for other, url in config.peers.items() if other not in fleet}
        return launch(BlockProcess(name, config.data, config.endpoint, peers, clients, front, admin_token))

    fleet = Fleet(names, launcher, lambda: with_data(config, names), {ADMIN_HEADER: admin_token})
    return fleet
