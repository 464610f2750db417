"""The values of parameters by name: stored ones, public ones, and secrets of Secrets Manager."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Transaction
from cloudlet.services.ssm import access, encryption, names, parameters, public_parameters, secret_references
from cloudlet.services.ssm.errors import ParameterNotFound
from cloudlet.services.ssm.parameter_record import Parameter, Version


async def read(ctx: Context, action: str, name: str, *, decrypts: bool) -> dict[str, Any]:
    """Return a parameter as AWS's API has it. Raises AwsError."""
    if name.strip().startswith(names.SECRETS):
        return await secret_references.read(ctx, action, name.strip(), decrypts=decrypts)
    reference = names.parse_reference(ctx, name)
    if reference.name.startswith(names.PUBLIC):
        access.authorize_public(ctx, action, reference.name)
        return await public_parameters.read(ctx, reference)

    async def body(tx: Transaction) -> tuple[Parameter, Version]:
        found = await parameters.find(tx, reference.account, reference.region, reference.name)
        access.authorize(ctx, action, reference, found)
        if found is None:
            raise ParameterNotFound
        return found, await parameters.select_version(tx, found, reference.selector)

    found, version = await ctx.transact(body)
    value = await encryption.read(ctx, reference.arn, version, decrypts=decrypts)
    shown = parameters.to_api(found, version, value)
    if reference.selector:
        shown["Selector"] = f":{reference.selector}"
    return shown
