"""The resource type AWS::CloudFormation::Macro: AWS has no operations for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.aws.resources.failures import ProvisioningError, ReasonedError
from cloudlet.core.aws.resources.provisioner import Instance
from cloudlet.services.cloudformation.macros import Macro, macros
from cloudlet.services.cloudformation.provisioning.local_types import Metadata

_NOT_BUILT: Final = ("LogGroupName", "LogRoleARN")


class MacroResource(Metadata):
    """One macro: Ref returns its name."""

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        return True

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        return {"Id": properties["Name"]} if await self.exists(properties) else None

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        return await self._find(properties["Name"]) is not None

    async def _find(self, name: str) -> Macro | None:
        work = self._work
        return await work.block.store.transact(lambda tx: macros.find(tx, work.stack.account, work.stack.region, name))

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        await self._save(properties)
        return {"Id": properties["Name"]}

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        await self._save(new)
        return dict(old.attributes)

    async def _save(self, properties: Mapping[str, Any]) -> None:
        unsupported = [name for name in _NOT_BUILT if name in properties]
        if unsupported:
            raise ProvisioningError(f"Cloudlet does not support the property {unsupported[0]} of {self._work.kind}")
        stack = self._work.stack
        made = Macro(
            stack.account,
            stack.region,
            properties["Name"],
            properties["FunctionName"],
            stack.id,
            stack.role,
            stack.operation.caller,
            str(properties.get("Description", "")),
        )

        async def save(tx: Transaction) -> bool:
            found = await macros.find(tx, made.account, made.region, made.name)
            is_free = found is None or found.stack == made.stack
            if is_free:
                macros.save(tx, made)
            return is_free

        if not await self._work.block.store.transact(save):
            raise ReasonedError(f"{made.name} already exists in another stack")

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        name, stack = instance.attributes["Id"], self._work.stack

        async def remove(tx: Transaction) -> None:
            found = await macros.find(tx, stack.account, stack.region, name)
            if found is not None and found.stack == stack.id:
                macros.remove(tx, found)

        await self._work.block.store.transact(remove)
        return None
