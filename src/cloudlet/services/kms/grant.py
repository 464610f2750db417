"""Grants: what is stored of them, and whom they allow what.

Developer guide, "Grants in AWS KMS".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.vault import UnreadableSecret
from cloudlet.services.kms.key_record import Key

_BY_KEY: Final = Subspace("grant")
_BY_GRANTEE: Final = Subspace("grant-by-grantee")
_BY_RETIREE: Final = Subspace("grant-by-retiring-principal")
_BY_REQUEST: Final = Subspace("grant-by-request")
_TOKEN_PLACE: Final = "grant token"  # noqa: S105
MAX_GRANTS: Final = 50_000
"""Of one grantee on a key that are looked at."""

_WITHOUT_CONTEXT: Final = frozenset({"DescribeKey", "RetireGrant", "CreateGrant"})
"""The operations to which a constraint on the encryption context does not apply."""


class Grant(msgspec.Struct, frozen=True):
    """A grant. Times are in seconds since the epoch."""

    account: str
    """The key's."""
    region: str
    key: str
    id: str
    grantee: str
    """An ARN, or the service principal of a service."""
    operations: tuple[str, ...]
    created: float
    issuing_account: str
    retiree: str = ""
    name: str = ""
    context_subset: dict[str, str] | None = None
    context_equals: dict[str, str] | None = None
    source_arn: str = ""
    is_grantee_service: bool = False
    is_retiree_service: bool = False
    request: str = ""
    """A hash of a request with a name, by which a repeated one is known."""


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """The grant that a token stands for."""

    account: str
    region: str
    key: str
    id: str


_encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Grant).decode
_decode_reference: Final = msgspec.msgpack.Decoder(Reference).decode


def get_space(key: Key) -> Subspace:
    """Return the subspace of a key's grants, by their ids."""
    return get_space_by_id(key.account, key.region, key.name)


def get_space_by_id(account: str, region: str, key_id: str) -> Subspace:
    """Return the subspace of the grants of a key that may be deleted."""
    return _BY_KEY.sub(account, region, key_id)


def get_retirable_space(region: str, retiree: str) -> Subspace:
    """Return the subspace of references to the grants that somebody may retire."""
    return _BY_RETIREE.sub(region, retiree)


def decode_reference(raw: bytes) -> Reference:
    return _decode_reference(raw)


def save(tx: Transaction, grant: Grant) -> None:
    """Write a new grant."""
    place = (grant.account, grant.region, grant.key)
    tx.put(_BY_KEY.key(*place, grant.id), _encode(grant))
    tx.put(_BY_GRANTEE.key(*place, grant.grantee, grant.id), b"")
    if grant.retiree:
        reference = Reference(*place, grant.id)
        tx.put(_BY_RETIREE.key(grant.region, grant.retiree, *place, grant.id), _encode(reference))
    if grant.request:
        tx.put(_BY_REQUEST.key(*place, grant.request), grant.id.encode())


def remove(tx: Transaction, grant: Grant) -> None:
    """Delete a grant."""
    place = (grant.account, grant.region, grant.key)
    tx.delete(_BY_KEY.key(*place, grant.id))
    tx.delete(_BY_GRANTEE.key(*place, grant.grantee, grant.id))
    if grant.retiree:
        tx.delete(_BY_RETIREE.key(grant.region, grant.retiree, *place, grant.id))
    if grant.request:
        tx.delete(_BY_REQUEST.key(*place, grant.request))


async def find(tx: Transaction, reference: Reference) -> Grant | None:
    """Return a grant, None where it is not there any more."""
    raw = await tx.get(_BY_KEY.key(reference.account, reference.region, reference.key, reference.id))
    return None if raw is None else decode(raw)


async def find_repeated(tx: Transaction, grant: Grant) -> str | None:
    """Return the id of the grant that the same request has created."""
    if not grant.request:
        return None
    raw = await tx.get(_BY_REQUEST.key(grant.account, grant.region, grant.key, grant.request))
    return None if raw is None else raw.decode()


def hash_request(*parts: object) -> str:
    """Return a hash of a request."""
    return sha256(_encode(parts)).hexdigest()


def make_token(block: Block, reference: Reference) -> str:
    """Return a new token of a grant."""
    return block.cloud.vault.encrypt(_encode(reference), _TOKEN_PLACE).hex()


def parse_token(block: Block, token: str) -> Reference:
    """Return the grant of a token. Raises InvalidGrantTokenException."""
    try:
        return _decode_reference(block.cloud.vault.decrypt(bytes.fromhex(token), _TOKEN_PLACE))
    except (ValueError, UnreadableSecret):
        raise AwsError("InvalidGrantTokenException", f"Invalid grant token: {token}") from None


def list_names(principal: Principal, region: str) -> list[str]:
    """Return the names by which a grant may mean a principal."""
    if principal.kind == "service":
        service, _, domain = principal.arn.partition(".")
        return [principal.arn, f"{service}.{region}.{domain}"]
    partition = partition_of(region)
    names = [principal.arn, f"arn:{partition}:iam::{principal.account}:root", principal.account]
    if principal.kind == "assumed-role":
        role = principal.arn.partition(":assumed-role/")[2].partition("/")[0]
        names.append(f"arn:{partition}:iam::{principal.account}:role/{role}")
    if principal.session is not None and principal.session.issuer:
        names.append(principal.session.issuer)
    return list(dict.fromkeys(names))


async def is_allowed(
    ctx: Context,
    tx: Transaction,
    key: Key,
    operation: str,
    context: dict[str, str] | None,
    created: Grant | None,
) -> bool:
    """Whether a grant allows the caller an operation on a key.

    `context` is its encryption context, `created` the grant that CreateGrant is to create.
    """
    for name in list_names(ctx.principal, ctx.region):
        space = _BY_GRANTEE.sub(key.account, key.region, key.name, name)
        for row, _ in await tx.range(space.begin, space.end, limit=MAX_GRANTS):
            found = await find(tx, Reference(key.account, key.region, key.name, space.unpack(row)[0]))
            if found is None or not allows(found, operation, context, ctx.source_arn):
                continue
            if created is None or is_as_strict(created, found):
                return True
    return False


def is_as_strict(created: Grant, parent: Grant) -> bool:
    """Whether a grant allows nothing but what the one that permits it does."""
    if not set(created.operations) <= set(parent.operations):
        return False
    if parent.context_equals is not None and created.context_equals != parent.context_equals:
        return False
    required = created.context_equals or created.context_subset or {}
    return parent.context_subset is None or parent.context_subset.items() <= required.items()


def allows(grant: Grant, operation: str, context: dict[str, str] | None, source_arn: str) -> bool:
    """Whether a grant allows its grantee an operation."""
    if operation not in grant.operations:
        return False
    if grant.source_arn and operation != "RetireGrant" and grant.source_arn != source_arn:
        return False
    if operation in _WITHOUT_CONTEXT:
        return True
    given = context or {}
    if grant.context_equals is not None and given != grant.context_equals:
        return False
    return grant.context_subset is None or grant.context_subset.items() <= given.items()
