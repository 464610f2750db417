"""The operations on the alias of an account."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.iam import account_aliases, errors, paging
from cloudlet.services.iam.block import service


@service.operation("CreateAccountAlias")
async def create_account_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Set the alias: an account has one, which another one replaces."""
    alias = params["AccountAlias"]
    if await account_aliases.is_taken(tx, alias):
        raise errors.already_exists(f"The account alias {alias} already exists.")
    before = await account_aliases.find(tx, ctx.account)
    if before is not None:
        account_aliases.remove(tx, ctx.account, before)
    account_aliases.save(tx, ctx.account, alias)
    return {}


@service.operation("DeleteAccountAlias")
async def delete_account_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    alias = params["AccountAlias"]
    if await account_aliases.find(tx, ctx.account) != alias:
        raise errors.no_such_entity(f"The Account Alias with name {alias} cannot be found.")
    account_aliases.remove(tx, ctx.account, alias)
    return {}


@service.operation("ListAccountAliases")
async def list_account_aliases(ctx: Context, tx: Transaction, params: Params) -> Result:
    alias = await account_aliases.find(tx, ctx.account)
    return paging.list_items(params, "AccountAliases", {} if alias is None else {alias: alias})
