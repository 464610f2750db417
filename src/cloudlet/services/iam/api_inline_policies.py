"""The operations on inline policies: the same for users, groups and roles."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.iam import documents, errors, limits, paging
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import GROUPS, ROLES, USERS, Kind
from cloudlet.services.iam.entity_record import Identity

I = TypeVar("I", bound=Identity)  # noqa: E741


def _declare(kind: Kind[I], max_characters: int) -> None:
    """Declare the operations for one kind, with what one's inline policies may have together."""

    @service.operation(f"Put{kind.noun}Policy")
    async def put_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        documents.parse(params["PolicyDocument"])
        inline = owner.inline | {params["PolicyName"]: params["PolicyDocument"]}
        if sum(map(documents.count_characters, inline.values())) > max_characters:
            raise errors.limit_exceeded(
                f"Maximum policy size of {max_characters} bytes exceeded for {owner.kind} {owner.name}"
            )
        kind.save(tx, replace(owner, inline=inline))
        return {}

    @service.operation(f"Get{kind.noun}Policy")
    async def get_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_named(ctx, tx, params)
        name = params["PolicyName"]
        if name not in owner.inline:
            raise _make_missing_error(owner, name)
        document = documents.show(owner.inline[name])
        return {kind.name_member: owner.name, "PolicyName": name, "PolicyDocument": document}

    @service.operation(f"List{kind.noun}Policies")
    async def list_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_named(ctx, tx, params)
        return paging.list_items(params, "PolicyNames", {name: name for name in owner.inline})

    @service.operation(f"Delete{kind.noun}Policy")
    async def delete_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
        owner = await kind.get_modifiable(ctx, tx, params)
        inline = dict(owner.inline)
        if inline.pop(params["PolicyName"], None) is None:
            raise _make_missing_error(owner, params["PolicyName"])
        kind.save(tx, replace(owner, inline=inline))
        return {}


def _make_missing_error(owner: Identity, name: str) -> AwsError:
    return errors.no_such_entity(f"The {owner.kind} policy with name {name} cannot be found.")


_declare(USERS, limits.MAX_USER_INLINE_CHARACTERS)
_declare(GROUPS, limits.MAX_GROUP_INLINE_CHARACTERS)
_declare(ROLES, limits.MAX_ROLE_INLINE_CHARACTERS)
