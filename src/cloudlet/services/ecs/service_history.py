"""The history of a service: its revisions, its deployments, and what its scheduler has told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecs.deployment_record import ServiceDeployment
from cloudlet.services.ecs.service_record import Revision

_REVISIONS: Final = Subspace("service-revision")
_DEPLOYMENTS: Final = Subspace("service-deployment")
_EVENTS: Final = Subspace("service-event")
_MAX_EVENTS: Final = 100
_MAX_DEPLOYMENTS: Final = 100
"""AWS keeps 90 days of service deployments; the newest ones are kept here."""
_encode = msgspec.msgpack.Encoder().encode
_decode_revision: Final = msgspec.msgpack.Decoder(Revision).decode
decode_deployment: Final = msgspec.msgpack.Decoder(ServiceDeployment).decode
_decode_events: Final = msgspec.msgpack.Decoder(list[dict[str, Any]]).decode
_Key = tuple[str, str, str, str]


def save_revision(tx: Transaction, key: _Key, revision: Revision) -> None:
    """Write a revision of a service."""
    tx.put(_REVISIONS.key(*key, revision.id), _encode(revision))


async def find_revision(tx: Transaction, key: _Key, revision: str) -> Revision | None:
    """Return a revision of a service, or None."""
    raw = await tx.get(_REVISIONS.key(*key, revision))
    return None if raw is None else _decode_revision(raw)


def get_space(key: _Key) -> Subspace:
    """Return the subspace of the service deployments of a service, the oldest first."""
    return _DEPLOYMENTS.sub(*key)


def save_deployment(tx: Transaction, key: _Key, deployment: ServiceDeployment) -> None:
    """Write a service deployment."""
    tx.put(_DEPLOYMENTS.key(*key, deployment.id), _encode(deployment))


async def find_deployment(tx: Transaction, key: _Key, deployment: str) -> ServiceDeployment | None:
    """Return a service deployment, or None."""
    raw = await tx.get(_DEPLOYMENTS.key(*key, deployment))
    return None if raw is None else decode_deployment(raw)


async def forget_old(tx: Transaction, key: _Key) -> None:
    """Forget the oldest deployment of a service, with its revision, where there are many."""
    space = _DEPLOYMENTS.sub(*key)
    rows = await tx.range(space.begin, space.end, limit=_MAX_DEPLOYMENTS + 1)
    if len(rows) > _MAX_DEPLOYMENTS:
        row, raw = rows[0]
        old = decode_deployment(raw)
        tx.delete(row)
        if all(decode_deployment(other).target != old.target for _, other in rows[1:]):
            tx.delete(_REVISIONS.key(*key, old.target))


async def load_events(tx: Transaction, key: _Key) -> list[dict[str, Any]]:
    """Return what the scheduler has told of a service, the newest first."""
    raw = await tx.get(_EVENTS.key(*key))
    return [] if raw is None else _decode_events(raw)


async def add_events(tx: Transaction, key: _Key, messages: list[str], now: float) -> None:
    """Note what the scheduler tells of a service."""
    if messages:
        told = [{"id": uuid4(), "createdAt": now, "message": message} for message in reversed(messages)]
        tx.put(_EVENTS.key(*key), _encode([*told, *await load_events(tx, key)][:_MAX_EVENTS]))


async def list_page(
    tx: Transaction,
    key: _Key,
    token: str | None,
    limit: int,
    is_wanted: Callable[[ServiceDeployment], bool],
    wrong: AwsError,
) -> tuple[list[ServiceDeployment], str | None]:
    """Return up to `limit` deployments, the newest first, and the next page's token. Raises `wrong` for no token."""
    space = get_space(key)
    place = page_tokens.parse_page_token(token, wrong)
    end = space.prefix + place if place else space.end
    found: list[ServiceDeployment] = []
    for row, raw in await tx.range(space.begin, end, limit=_MAX_DEPLOYMENTS + 1, reverse=True):
        if not is_wanted(deployment := decode_deployment(raw)):
            continue
        if len(found) == limit:
            return found, page_tokens.make_page_token(row.removeprefix(space.prefix) + b"\x00")
        found.append(deployment)
    return found, None


def remove(tx: Transaction, key: _Key) -> None:
    """Forget all of a service."""
    for space in (_REVISIONS.sub(*key), _DEPLOYMENTS.sub(*key)):
        tx.delete_range(space.begin, space.end)
    tx.delete(_EVENTS.key(*key))
