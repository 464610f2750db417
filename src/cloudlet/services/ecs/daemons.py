"""Daemons: written and found by what requests say."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import arns, service_history
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.daemon_record import Daemon, list_providers
from cloudlet.services.ecs.managed_states import ACTIVE

_DAEMONS: Final = Subspace("daemon")
_MAX_DAEMONS: Final = 10_000
_encode = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Daemon).decode


class DaemonNotFound(AwsError):
    """A daemon that is not there."""

    def __init__(self) -> None:
        super().__init__("DaemonNotFoundException", "The specified daemon was not found.")


class DaemonNotActive(AwsError):
    """A daemon that is being deleted."""

    def __init__(self) -> None:
        super().__init__("DaemonNotActiveException", "The specified daemon is not ACTIVE.")


def get_space(account: str, region: str, cluster: str) -> Subspace:
    """Return the subspace of the daemons of a cluster, by name."""
    return _DAEMONS.sub(account, region, cluster)


async def find(tx: Transaction, account: str, region: str, cluster: str, name: str) -> Daemon | None:
    """Return a daemon by its name, or None."""
    raw = await tx.get(_DAEMONS.key(account, region, cluster, name))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, account: str, region: str, arn: str) -> Daemon:
    """Return a daemon by its ARN. Raises DaemonNotFoundException."""
    names = arns.parse_names("daemon", arn, account, region)
    found = await find(tx, account, region, *names) if len(names) == 2 else None
    if found is None:
        raise DaemonNotFound
    return found


async def get_active(tx: Transaction, account: str, region: str, arn: str) -> Daemon:
    """Return a daemon that is not being deleted. Raises DaemonNotFoundException or DaemonNotActiveException."""
    found = await get(tx, account, region, arn)
    if found.status != ACTIVE:
        raise DaemonNotActive
    return found


async def list_daemons(tx: Transaction, space: Subspace) -> list[Daemon]:
    """Return all daemons of a subspace."""
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_DAEMONS)]


async def has_provider(tx: Transaction, cluster: Cluster, provider: str) -> bool:
    """Whether daemons of a cluster use a capacity provider."""
    found = await list_daemons(tx, get_space(*cluster.key))
    return any(
        provider in list_providers(revision) for each in found for revision in (each.target, each.last_completed)
    )


async def has_definition(tx: Transaction, account: str, region: str, arn: str) -> bool:
    """Whether daemons of an account have a definition, or may be rolled back to it."""
    found = await list_daemons(tx, _DAEMONS.sub(account, region))
    return any(
        revision is not None and revision.members["daemonTaskDefinitionArn"] == arn
        for each in found
        for revision in (each.target, each.last_completed)
    )


def save(tx: Transaction, daemon: Daemon) -> None:
    """Write a daemon."""
    tx.put(_DAEMONS.key(*daemon.key), _encode(daemon))


def remove(tx: Transaction, daemon: Daemon) -> None:
    """Forget a daemon that no instance has any more."""
    tx.delete(_DAEMONS.key(*daemon.key))
    tags.save(tx, daemon.arn, {})
    service_history.remove(tx, daemon.history_key)
