"""Resource types that have no operations: metadata, wait conditions and their handles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.aws.resources.failures import ReasonedError
from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.core.kernel.ids import token as random_token
from cloudlet.services.cloudformation.provisioning import signals
from cloudlet.services.cloudformation.provisioning.handlers import Handler, Work

_SECRET_CHARACTERS: Final = 48
_PAUSE_SECONDS: Final = 30.0
_DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


class Metadata:
    """A resource with nothing behind it but its name."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def assign_name(self, properties: Mapping[str, Any], prefix: str, suffix: str) -> dict[str, Any]:
        return dict(properties)

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        return False

    def get_reference(self, instance: Instance) -> str:
        reference: str = instance.attributes["Id"]
        return reference

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        return False

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        return None

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        return {"Id": name}

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        return dict(instance.attributes), None

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        return dict(old.attributes)

    async def refresh(self, instance: Instance, token: str = "") -> tuple[dict[str, Any], float | None]:
        return dict(instance.attributes), None

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        return None


class WaitConditionHandle(Metadata):
    """The address that signals for wait conditions are sent to: Ref returns its URL."""

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        work = self._work
        secret = random_token(_SECRET_CHARACTERS).lower()
        stack = work.stack

        async def keep(tx: Transaction) -> None:
            address = signals.Address(stack.account, stack.region, stack.id, _get_key(stack.id, url))
            signals.save_address(tx, secret, address)

        url = signals.make_url(work.block, secret)
        await work.block.store.transact(keep)
        return {"Id": url}

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        url: str = instance.attributes["Id"]

        async def remove(tx: Transaction) -> None:
            signals.remove_address(tx, url.rstrip("/").rpartition("/")[2])
            signals.remove_signals(tx, _get_key(self._work.stack.id, url))

        await self._work.block.store.transact(remove)
        return None


class WaitCondition(Metadata):
    """A resource that is made once so many signals have come to its handle."""

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        work, properties = self._work, instance.properties
        key = make_signal_key(work.stack.id, work.logical_id, properties)
        if work.creation_policy:
            properties = {**properties, **_parse_creation_policy(work.creation_policy)}
        found = await work.block.store.transact(lambda tx: signals.list_signals(tx, key))
        return check_signals(instance, found, properties, work)


def check_signals(
    instance: Instance, found: Mapping[str, signals.Signal], properties: Mapping[str, Any], work: Work
) -> tuple[dict[str, Any], float | None]:
    """Return the attributes of what waits for signals, and the pause. Raises ProvisioningError."""
    failed = next((one for one in found.values() if one.status == "FAILURE"), None)
    if failed is not None:
        raise ReasonedError(
            f"WaitCondition received failed message: '{failed.reason}' for uniqueId: {_find_id(found, failed)}"
        )
    wanted = int(properties.get("Count", 1))
    if len(found) >= wanted:
        data = {unique_id: one.data for unique_id, one in found.items()}
        return {**instance.attributes, "Data": json.dumps(data, separators=(",", ":"))}, None
    left = work.started + float(properties.get("Timeout", 0)) - work.block.clock.now()
    if left <= 0:
        raise ReasonedError(f"WaitCondition timed out. Received {len(found)} conditions when expecting {wanted}")
    return dict(instance.attributes), min(left, _PAUSE_SECONDS)


def _find_id(found: Mapping[str, signals.Signal], wanted: signals.Signal) -> str:
    return next(unique_id for unique_id, one in found.items() if one is wanted)


def make_signal_key(stack: str, name: str, properties: Mapping[str, Any]) -> str:
    """Return the key of a wait condition's signals, by its handle or its logical id."""
    return _get_key(stack, str(properties.get("Handle") or f"#{name}"))


def _parse_creation_policy(text: str) -> dict[str, Any]:
    """Return the count and the seconds that a CreationPolicy, as JSON, has. Raises ProvisioningError."""
    signal = json.loads(text).get("ResourceSignal") or {}
    found = _DURATION.fullmatch(str(signal.get("Timeout", "PT5M")))
    if found is None:
        raise ReasonedError(f"Invalid Timeout {signal['Timeout']} of the CreationPolicy")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return {"Count": signal.get("Count", 1), "Timeout": hours * 3600 + minutes * 60 + seconds}


def _get_key(stack: str, url: str) -> str:
    return f"{stack} {url.rstrip('/').rpartition('/')[2]}"


LOCAL_TYPES: Final[Mapping[str, Callable[[Work], Handler]]] = {
    "AWS::CDK::Metadata": Metadata,
    "AWS::CloudFormation::WaitCondition": WaitCondition,
    "AWS::CloudFormation::WaitConditionHandle": WaitConditionHandle,
}
