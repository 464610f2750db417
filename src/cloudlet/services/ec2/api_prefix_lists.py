"""The operations on prefix lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits, reconciling
from cloudlet.services.ec2.cidr import parse_any_network
from cloudlet.services.ec2.errors import InvalidCombination, InvalidValue, QuotaError
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.operations import declare, describe, find_repeated, read_page
from cloudlet.services.ec2.prefix_list import PREFIX_LISTS, Entry, PrefixList
from cloudlet.services.ec2.resource import list_dependents
from cloudlet.services.ec2.route_table import ROUTE_TABLES
from cloudlet.services.ec2.security_group import RULES
from cloudlet.services.ec2.tagging import read_specifications

_PAGE_ITEMS = 100

describe(PREFIX_LISTS, "DescribeManagedPrefixLists")


def _make_entries(given: Sequence[Mapping[str, Any]], family: str) -> list[Entry]:
    found = []
    for each in given:
        network = parse_any_network(each["Cidr"], "cidr")
        if network.version != (4 if family == "IPv4" else 6):
            raise InvalidValue("cidr", each["Cidr"], f"It is not of the address family {family}.")
        found.append(Entry(str(network), each.get("Description")))
    if len({each.cidr for each in found}) != len(found):
        raise AwsError("InvalidParameterValue", "Prefix list entries must be unique")
    return found


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= limits.MAX_PREFIX_LIST_ENTRIES:
        raise InvalidValue("maxEntries", limit, f"It must be from 1 to {limits.MAX_PREFIX_LIST_ENTRIES}.")


def _check_size(entries: Sequence[Entry], limit: int) -> None:
    if len(entries) > limit:
        text = "You've reached the maximum number of entries for the prefix list."
        raise AwsError("PrefixListMaxEntriesExceeded", text)


@declare("CreateManagedPrefixList")
async def create_managed_prefix_list(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, token = await find_repeated(ctx, tx, PREFIX_LISTS, "CreateManagedPrefixList", params)
    if found is None:
        name, family, limit = params["PrefixListName"], params["AddressFamily"], params["MaxEntries"]
        if name.startswith("com.amazonaws") or len(name) > limits.MAX_TAG_VALUE_CHARACTERS:
            raise InvalidValue("prefixListName", name, "It cannot start with com.amazonaws.")
        if family not in ("IPv4", "IPv6"):
            raise InvalidValue("addressFamily", family, "It must be IPv4 or IPv6.")
        _check_limit(limit)
        own = [each for each in await PREFIX_LISTS.list_all(ctx, tx) if not each.is_of_aws]
        if len(own) >= limits.MAX_PREFIX_LISTS:
            raise QuotaError("PrefixListLimitExceeded", "prefix lists")
        entries = _make_entries(params.get("Entries") or (), family)
        _check_size(entries, limit)
        found = PrefixList(
            account=ctx.account,
            region=ctx.region,
            name=PREFIX_LISTS.make_id(),
            list_name=name,
            family=family,
            max_entries=limit,
            versions=[entries],
            tags=read_specifications(params, PREFIX_LISTS.resource_type),
            token=token,
        )
        PREFIX_LISTS.save(tx, found)
    return {"PrefixList": await PREFIX_LISTS.show(ctx, tx, found)}


async def _get_own(ctx: Context, tx: Transaction, name: str) -> PrefixList:
    """Return a prefix list of the account itself. Raises AwsError."""
    found = await PREFIX_LISTS.get(ctx, tx, name)
    if found.is_of_aws:
        raise AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.", status=403)
    return found


def _check_version(prefix_list: PrefixList, given: int | None) -> None:
    if given is not None and given != prefix_list.version:
        text = "The prefix list has the incorrect version number."
        raise AwsError("PrefixListVersionMismatch", text)


async def _save(ctx: Context, tx: Transaction, prefix_list: PrefixList) -> Result:
    """Write a prefix list, and have the networks know that use it."""
    PREFIX_LISTS.save(tx, prefix_list)
    for name in await list_dependents(ctx, tx, prefix_list.name):
        user = await RULES.find(ctx, tx, name) or await ROUTE_TABLES.find(ctx, tx, name)
        if user is not None:
            reconciling.request(tx, ctx.account, ctx.region, user.vpc)
    return {"PrefixList": await PREFIX_LISTS.show(ctx, tx, prefix_list)}


@declare("ModifyManagedPrefixList", ("IpamPrefixListResolverSyncEnabled",))
async def modify_managed_prefix_list(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_own(ctx, tx, params["PrefixListId"])
    _check_version(found, params.get("CurrentVersion"))
    added, removed = params.get("AddEntries") or [], params.get("RemoveEntries") or []
    if (added or removed) and "MaxEntries" in params:
        raise InvalidCombination("Entries and the maximum number of entries cannot be modified at the same time.")
    if added or removed:
        if "CurrentVersion" not in params:
            raise AwsError("MissingParameter", "The request must contain the parameter currentVersion")
        gone = {str(parse_any_network(each["Cidr"], "cidr")) for each in removed}
        if missing := gone - {each.cidr for each in found.entries}:
            raise AwsError("InvalidPrefixListModification", f"The prefix list has no entry {sorted(missing)[0]}.")
        made = _make_entries(added, found.family)
        changed = {each.cidr for each in made} | gone
        found.add_version([*(each for each in found.entries if each.cidr not in changed), *made])
    found.max_entries = params.get("MaxEntries", found.max_entries)
    _check_limit(found.max_entries)
    found.list_name = params.get("PrefixListName", found.list_name)
    _check_size(found.entries, found.max_entries)
    return await _save(ctx, tx, found)


@declare("RestoreManagedPrefixListVersion")
async def restore_managed_prefix_list_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_own(ctx, tx, params["PrefixListId"])
    _check_version(found, params["CurrentVersion"])
    found.add_version(_get_version(found, params["PreviousVersion"]))
    return await _save(ctx, tx, found)


def _get_version(prefix_list: PrefixList, number: int) -> list[Entry]:
    found = prefix_list.find_version(number)
    if found is None:
        raise AwsError("PrefixListVersionNotFound", f"The prefix list has no version {number}.")
    return found


@declare("DeleteManagedPrefixList")
async def delete_managed_prefix_list(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_own(ctx, tx, params["PrefixListId"])
    if await list_dependents(ctx, tx, found.name, limit=1):
        text = "You can't delete a prefix list that is referenced by other resources."
        raise AwsError("PrefixListInUse", text)
    PREFIX_LISTS.remove(tx, found)
    return {"PrefixList": {**await PREFIX_LISTS.show(ctx, tx, found), "State": "delete-complete"}}


@declare("GetManagedPrefixListEntries")
async def get_managed_prefix_list_entries(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await PREFIX_LISTS.get(ctx, tx, params["PrefixListId"])
    entries = _get_version(found, params.get("TargetVersion", found.version))
    page, token = read_page(entries, params, _PAGE_ITEMS)
    return {"Entries": [{"Cidr": each.cidr, "Description": each.description} for each in page], "NextToken": token}


@declare("GetManagedPrefixListAssociations")
async def get_managed_prefix_list_associations(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await PREFIX_LISTS.get(ctx, tx, params["PrefixListId"])
    names: dict[str, None] = {}
    for name in await list_dependents(ctx, tx, found.name):
        rule = await RULES.find(ctx, tx, name)
        names[name if rule is None else rule.group] = None
    page, token = read_page(list(names), params)
    owner = {"ResourceOwner": ctx.account}
    return {"PrefixListAssociations": [{"ResourceId": each, **owner} for each in page], "NextToken": token}


@declare("DescribePrefixLists")
async def describe_prefix_lists(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = parse_filters(params.get("Filters"), {"prefix-list-id": "", "prefix-list-name": ""}, tags=None)
    wanted = params.get("PrefixListIds")
    lists = [each for each in await PREFIX_LISTS.list_all(ctx, tx) if each.is_of_aws]
    for each in wanted or ():
        await PREFIX_LISTS.get(ctx, tx, each)
    found = [
        shown
        for each in lists
        if (not wanted or each.name in wanted)
        and matches(shown := {"PrefixListId": each.name, "PrefixListName": each.list_name, "Cidrs": []})
    ]
    page, token = read_page(found, params)
    return {"PrefixLists": page, "NextToken": token}
