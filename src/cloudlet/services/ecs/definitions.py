"""Task definitions: finding them by what requests say."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.definition_record import ACTIVE, Definition, Family

_DEFINITIONS = Subspace("definition")
_READ_ROWS: Final = 4
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Definition).decode
_families = Records(Subspace("family"), Family, lambda name: errors.ClientError("Unable to describe task definition."))
decode_family, get_family_space = _families.decode, _families.get_space


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of an account's definitions in a region, by family and revision."""
    return _DEFINITIONS.sub(account, region)


async def get_revision(tx: Transaction, account: str, region: str, family: str, revision: int) -> Definition | None:
    """Return one revision, or None where there is none."""
    raw = await tx.get(_DEFINITIONS.key(account, region, family, revision))
    return None if raw is None else decode(raw)


async def find(tx: Transaction, account: str, region: str, reference: str) -> Definition | None:
    """Return a task definition by "family:revision", an ARN, or its family.

    By its family it is the latest active one.
    """
    names = arns.parse_names("task-definition", reference, account, region)
    if len(names) != 1:
        return None
    family, colon, revision = names[0].partition(":")
    if not colon:
        return await _find_latest(tx, account, region, family)
    return await get_revision(tx, account, region, family, int(revision)) if _is_revision(revision) else None


def _is_revision(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 16


async def _find_latest(tx: Transaction, account: str, region: str, family: str) -> Definition | None:
    space = get_space(account, region).sub(family)
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


async def add(tx: Transaction, account: str, region: str, family: str) -> int:
    """Count one more active revision of a family; return its number."""
    known = await _families.find(tx, account, region, family) or Family(account, region, family)
    _families.save(tx, replace(known, latest=known.latest + 1, active=known.active + 1))
    return known.latest + 1


async def count_out(tx: Transaction, definition: Definition) -> None:
    """Count one active revision less."""
    known = await _families.get(tx, definition.account, definition.region, definition.family)
    _families.save(tx, replace(known, active=known.active - 1))


def save(tx: Transaction, definition: Definition) -> None:
    """Write a task definition."""
    place = (definition.account, definition.region, definition.family, definition.revision)
    tx.put(_DEFINITIONS.key(*place), _encode(definition))


def remove(tx: Transaction, definition: Definition) -> None:
    """Delete a task definition."""
    place = (definition.account, definition.region, definition.family, definition.revision)
    tx.delete(_DEFINITIONS.key(*place))
