"""Records of generated templates."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.vault import Vault

_TEMPLATES: Final = Subspace("generated")
_NAMES: Final = Subspace("generated-name")


class GeneratedResource(msgspec.Struct, frozen=True):
    """A resource of a generated template."""

    type: str
    name: str
    """The logical id."""
    identifier: dict[str, str]
    status: Literal["PENDING", "FAILED", "COMPLETE"] = "PENDING"
    reason: str = ""
    properties: dict[str, Any] = {}
    reference: str = ""
    arn: str = ""


class GeneratedTemplate(msgspec.Struct, frozen=True):
    """A template that is generated of resources."""

    account: str
    region: str
    id: str
    name: str
    created: float
    caller: Caller
    updated: float = 0.0
    status: Literal["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "COMPLETE", "FAILED"] = "CREATE_IN_PROGRESS"
    reason: str = ""
    resources: list[GeneratedResource] = []
    deletion_policy: str = "RETAIN"
    update_replace_policy: str = "RETAIN"
    stack: str = ""
    """The ARN of the stack that it is based on."""
    base: str = ""
    """The template of that stack, as JSON."""

    @property
    def arn(self) -> str:
        partition = partition_of(self.region)
        return f"arn:{partition}:cloudformation:{self.region}:{self.account}:generatedtemplate/{self.id}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(GeneratedTemplate).decode


def get_space(account: str, region: str) -> Subspace:
    """Return the subspace of the generated templates of an account in a region."""
    return _TEMPLATES.sub(account, region)


def decode(vault: Vault, account: str, raw: bytes) -> GeneratedTemplate:
    """Return a template by its row's value."""
    return _decode(vault.decrypt(raw, account))


def save(tx: Transaction, vault: Vault, template: GeneratedTemplate) -> None:
    """Write a template, encrypted: properties may be secrets."""
    key = _TEMPLATES.key(template.account, template.region, template.id)
    tx.put(key, vault.encrypt(_encode(template), template.account))
    tx.put(_NAMES.key(template.account, template.region, template.name), template.id.encode())


def remove(tx: Transaction, template: GeneratedTemplate) -> None:
    tx.delete(_TEMPLATES.key(template.account, template.region, template.id))
    remove_name(tx, template)


def remove_name(tx: Transaction, template: GeneratedTemplate) -> None:
    tx.delete(_NAMES.key(template.account, template.region, template.name))


async def find(tx: Transaction, vault: Vault, account: str, region: str, template_id: str) -> GeneratedTemplate | None:
    """Return a template by its id."""
    raw = await tx.get(_TEMPLATES.key(account, region, template_id))
    return None if raw is None else decode(vault, account, raw)


async def find_by_name(tx: Transaction, vault: Vault, account: str, region: str, name: str) -> GeneratedTemplate | None:
    """Return a template by its name or its ARN."""
    if name.startswith("arn:"):
        return await find(tx, vault, account, region, name.rpartition("/")[2])
    raw = await tx.get(_NAMES.key(account, region, name))
    return None if raw is None else await find(tx, vault, account, region, raw.decode())


async def get(tx: Transaction, vault: Vault, account: str, region: str, name: str) -> GeneratedTemplate:
    """Return a template by its name or its ARN. Raises GeneratedTemplateNotFoundException."""
    found = await find_by_name(tx, vault, account, region, name)
    if found is None:
        raise AwsError("GeneratedTemplateNotFoundException", f"Template {name} not found", status=404)
    return found
