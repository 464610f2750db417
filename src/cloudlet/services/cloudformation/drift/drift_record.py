"""Records of detections of drift, and of what they have found."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.drift.differences import Difference
from cloudlet.services.cloudformation.stack_record import Stack

DriftStatus = Literal["IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED", "UNKNOWN"]
_DRIFTS: Final = Subspace("drift")


class Detection(msgspec.Struct, frozen=True):
    """A detection of drift of a stack."""

    account: str
    region: str
    name: str
    """The id of the detection."""
    stack: str
    """The id of the stack."""
    started: float
    caller: Caller
    resources: list[str] = []
    """The resources that it looks at; all where there are none."""
    status: Literal["DETECTION_IN_PROGRESS", "DETECTION_FAILED", "DETECTION_COMPLETE"] = "DETECTION_IN_PROGRESS"
    reason: str = ""
    drift: str = "NOT_CHECKED"
    count: int = 0
    """The number of resources that have drifted."""


class ResourceDrift(msgspec.Struct, frozen=True):
    """The drift of a resource, as the last detection has found it."""

    name: str
    """The logical id."""
    physical_id: str
    type: str
    status: DriftStatus
    time: float
    expected: str = ""
    """The expected properties, as JSON."""
    actual: str = ""
    differences: list[Difference] = []
    reason: str = ""


detections = Records(
    Subspace("detection"),
    Detection,
    lambda name: errors.make_validation_error(f"Drift detection with id {name} does not exist"),
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ResourceDrift).decode


def get_space(stack: Stack) -> Subspace:
    """Return the subspace of what is known of the drift of a stack's resources."""
    return _DRIFTS.sub(stack.account, stack.region, stack.id)


def save(tx: Transaction, vault: Vault, stack: Stack, drift: ResourceDrift) -> None:
    """Write the drift of a resource, encrypted: properties may be secrets."""
    tx.put(get_space(stack).key(drift.name), vault.encrypt(_encode(drift), stack.id))


def decode(vault: Vault, stack: Stack, raw: bytes) -> ResourceDrift:
    """Return the drift of a resource by its row's value."""
    return _decode(vault.decrypt(raw, stack.id))


async def list_drifts(tx: Transaction, vault: Vault, stack: Stack, limit: int) -> dict[str, ResourceDrift]:
    """Return what is known of the drift of a stack's resources, by their logical ids."""
    space = get_space(stack)
    found = [decode(vault, stack, raw) for _, raw in await tx.range(space.begin, space.end, limit=limit)]
    return {one.name: one for one in found}


def remove_drifts(tx: Transaction, stack: Stack) -> None:
    """Remove all that is known of the drift of a stack, which is deleted."""
    space = get_space(stack)
    tx.delete_range(space.begin, space.end)
