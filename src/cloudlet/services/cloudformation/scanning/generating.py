"""Generating templates: resources are read, and what one has of another becomes a reference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.provisioner import Invoke
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation.compiling import get_schema
from cloudlet.services.cloudformation.operations.provisioning_steps import BY
from cloudlet.services.cloudformation.scanning import generated_record
from cloudlet.services.cloudformation.scanning.generated_record import GeneratedResource, GeneratedTemplate
from cloudlet.services.cloudformation.scanning.running_scans import read_resource

_POLICIES: Final = {"RETAIN": "Retain", "DELETE": "Delete"}


async def _carry_out(block: Block, key: Key) -> float | None:
    """Read the resources of a template that were not read yet."""
    account, region, template_id = key
    vault = block.cloud.vault
    found = await block.store.transact(lambda tx: generated_record.find(tx, vault, account, region, template_id))
    if found is None or not found.status.endswith("_IN_PROGRESS"):
        return None
    invoke = bind_invoke(block, found.caller.make_principal(BY), account, region)
    read = [one if one.status != "PENDING" else await _read(invoke, one, account, region) for one in found.resources]

    async def end(tx: Transaction) -> float | None:
        now = await generated_record.find(tx, vault, account, region, template_id)
        if now is None or now.resources != found.resources:
            # It was changed or deleted meanwhile.
            return None if now is None else 0
        failed = [one.name for one in read if one.status == "FAILED"]
        status = "FAILED" if failed else "COMPLETE"
        reason = f"Failed to read the resources [{', '.join(failed)}]." if failed else ""
        ended = replace(now, resources=read, status=status, reason=reason, updated=block.clock.now())
        generated_record.save(tx, vault, ended)
        return None

    return await block.store.transact(end)


TEMPLATES: Final = Reconciler("generated-templates", _carry_out, patience_seconds=1.0)


async def _read(invoke: Invoke, one: GeneratedResource, account: str, region: str) -> GeneratedResource:
    try:
        found = await read_resource(invoke, one.type, one.identifier, account, region)
    except (ProvisioningError, AwsError) as error:
        return replace(one, status="FAILED", reason=error.message)
    if found is None:
        return replace(one, status="FAILED", reason="The resource does not exist.")
    return replace(one, status="COMPLETE", properties=found.model, reference=found.reference, arn=found.arn)


def list_unread(kind: str, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the properties of a type that nobody can read, and that a template lacks."""
    schema = get_schema(kind)
    required = schema.raw.get("required", ())
    return [
        {"PropertyPath": path, "Required": path.split("/")[0] in required}
        for path in sorted(schema.write_only)
        if "*" not in path and path.split("/")[0] not in properties
    ]


def render(template: GeneratedTemplate) -> dict[str, Any]:
    """Return a template as it was generated."""
    body: dict[str, Any] = json.loads(template.base) if template.base else {"AWSTemplateFormatVersion": "2010-09-09"}
    resources: dict[str, Any] = dict(body.get("Resources", {}))
    references = _References([one for one in template.resources if one.status == "COMPLETE"])
    for one in template.resources:
        if one.status == "COMPLETE":
            resources[one.name] = {
                "Type": one.type,
                "DeletionPolicy": _POLICIES[template.deletion_policy],
                "UpdateReplacePolicy": _POLICIES[template.update_replace_policy],
                "Properties": references.replace_names(one.name, one.properties),
            }
    return {**body, "Resources": resources}


class _References:
    """The names of resources, which become references where that is not circular."""

    def __init__(self, resources: Iterable[GeneratedResource]) -> None:
        self._functions: dict[str, tuple[str, Any]] = {}
        for one in resources:
            if one.reference:
                self._functions.setdefault(one.reference, (one.name, {"Ref": one.name}))
            if one.arn:
                self._functions.setdefault(one.arn, (one.name, {"Fn::GetAtt": [one.name, "Arn"]}))
        self._dependencies: dict[str, set[str]] = {}

    def replace_names(self, name: str, value: Any) -> Any:
        """Return the properties of a resource, with references in place of other resources' names."""
        if isinstance(value, dict):
            return {key: self.replace_names(name, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace_names(name, item) for item in value]
        found = self._functions.get(value) if isinstance(value, str) else None
        if found is None or found[0] == name or self._depends(found[0], name):
            return value
        self._dependencies.setdefault(name, set()).add(found[0])
        return found[1]

    def _depends(self, name: str, other: str) -> bool:
        """Whether a resource depends on another one, be it through others."""
        direct = self._dependencies.get(name, set())
        return other in direct or any(self._depends(one, other) for one in direct)
