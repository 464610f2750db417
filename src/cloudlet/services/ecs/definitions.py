"""Task definitions: finding them by what requests say."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.definition_record import ACTIVE, OF_DAEMONS, OF_TASKS, Definition, Family

_SPACES: Final = {OF_TASKS: Subspace("definition"), OF_DAEMONS: Subspace("daemon-definition")}
_READ_ROWS: Final = 4
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Definition).decode
_families = {
    kind: Records(Subspace(space), Family, lambda name: errors.ClientError("Unable to describe task definition."))
    for kind, space in ((OF_TASKS, "family"), (OF_DAEMONS, "daemon-family"))
}
decode_family, get_family_space = _families[OF_TASKS].decode, _families[OF_TASKS].get_space


def get_space(account: str, region: str, kind: str = OF_TASKS) -> Subspace:
    """Return the subspace of an account's definitions in a region, by family and revision."""
    return _SPACES[kind].sub(account, region)


async def get_revision(
    tx: Transaction, account: str, region: str, family: str, revision: int, *, kind: str = OF_TASKS
) -> Definition | None:
    """Return one revision, or None where there is none."""
    raw = await tx.get(_SPACES[kind].key(account, region, family, revision))
    return None if raw is None else decode(raw)


async def find(
    tx: Transaction, account: str, region: str, reference: str, *, kind: str = OF_TASKS
) -> Definition | None:
    """Return a task definition by "family:revision", an ARN, or its family.

    By its family it is the latest active one.
    """
    names = arns.parse_names(kind, reference, account, region)
    if len(names) != 1:
        return None
    family, colon, revision = names[0].partition(":")
    if not colon:
        return await _find_latest(tx, get_space(account, region, kind).sub(family))
    if not _is_revision(revision):
        return None
    return await get_revision(tx, account, region, family, int(revision), kind=kind)


def _is_revision(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 16


async def _find_latest(tx: Transaction, space: Subspace) -> Definition | None:
    end = space.end
    while rows := await tx.range(space.begin, end, limit=_READ_ROWS, reverse=True):
        for _, raw in rows:
            if (found := decode(raw)).status == ACTIVE:
                return found
        end = rows[-1][0]
    return None


async def get(tx: Transaction, account: str, region: str, reference: str) -> Definition:
    """Return a task definition as `find` does. Raises ClientException."""
    found = await find(tx, account, region, reference)
    if found is None:
        raise errors.ClientError("Unable to describe task definition.")
    return found


async def get_active(tx: Transaction, account: str, region: str, reference: str) -> Definition:
    """Return a task definition that tasks may be started by. Raises ClientException."""
    found = await find(tx, account, region, reference)
    if found is None:
        raise errors.ClientError("TaskDefinition not found.")
    if found.status != ACTIVE:
        raise errors.ClientError("TaskDefinition is inactive")
    return found


async def add(tx: Transaction, account: str, region: str, family: str, *, kind: str = OF_TASKS) -> int:
    """Count one more active revision of a family; return its number."""
    known = await _families[kind].find(tx, account, region, family) or Family(account, region, family)
    _families[kind].save(tx, replace(known, latest=known.latest + 1, active=known.active + 1))
    return known.latest + 1


async def count_out(tx: Transaction, definition: Definition) -> None:
    """Count one active revision less."""
    families = _families[definition.kind]
    known = await families.get(tx, definition.account, definition.region, definition.family)
    families.save(tx, replace(known, active=known.active - 1))


def save(tx: Transaction, definition: Definition) -> None:
    """Write a task definition."""
    place = (definition.account, definition.region, definition.family, definition.revision)
    tx.put(_SPACES[definition.kind].key(*place), _encode(definition))


def remove(tx: Transaction, definition: Definition) -> None:
    """Delete a task definition."""
    place = (definition.account, definition.region, definition.family, definition.revision)
    tx.delete(_SPACES[definition.kind].key(*place))
