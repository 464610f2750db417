"""Records of refactors."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.cloudformation.stack_record import Stack, Target

_REFACTORS: Final = Subspace("refactor")


class StackPlan(msgspec.Struct, frozen=True):
    """A stack of a refactor, and what it becomes."""

    stack: Stack
    """The stack as it was planned with: what has begun later makes the refactor obsolete."""
    is_new: bool
    target: Target


class Move(msgspec.Struct, frozen=True):
    """A resource that gets another logical id, or another stack."""

    type: str
    physical_id: str
    source_stack: str
    """The id of a stack."""
    source: str
    """A logical id."""
    stack: str
    name: str
    is_detected: bool
    """Whether the caller has not told where it comes from."""


class Refactor(msgspec.Struct, frozen=True):
    """A refactor of some stacks."""

    account: str
    region: str
    id: str
    created: float
    description: str = ""
    plans: list[StackPlan] = []
    moves: list[Move] = []
    status: Literal["CREATE_COMPLETE", "CREATE_FAILED"] = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    execution_reason: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Refactor).decode


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of the refactors of an account in a region."""
    return _REFACTORS.sub(account, region)


def decode(vault: Vault, account: str, raw: bytes) -> Refactor:
    """Return a refactor by its row's value."""
    return _decode(vault.decrypt(raw, account))


def save(tx: Transaction, vault: Vault, refactor: Refactor) -> None:
    """Write a refactor, encrypted: values of parameters may be secrets."""
    key = _REFACTORS.key(refactor.account, refactor.region, refactor.id)
    tx.put(key, vault.encrypt(_encode(refactor), refactor.account))


async def get(tx: Transaction, vault: Vault, account: str, region: str, refactor_id: str) -> Refactor:
    """Return a refactor by its id. Raises StackRefactorNotFoundException."""
    raw = await tx.get(_REFACTORS.key(account, region, refactor_id))
    if raw is None:
        raise AwsError("StackRefactorNotFoundException", f"Stack refactor [{refactor_id}] does not exist", status=404)
    return decode(vault, account, raw)
