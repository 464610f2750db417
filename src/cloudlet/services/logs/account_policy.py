"""Account policies: what is so for all log groups of an account in a region. API reference, "PutAccountPolicy"."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.services.logs import account_policy_record, errors, protection, receivers, subscription
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.account_policy_record import Policy
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.subscription import Subscription

SUBSCRIPTION: Final = "SUBSCRIPTION_FILTER_POLICY"
PROTECTION: Final = "DATA_PROTECTION_POLICY"
_BUILT: Final = (SUBSCRIPTION, PROTECTION)
_POLICIES: Final = Subspace("account-policy")
_CACHED_KEYS: Final = 1024
"""Account, region → all policies: there can be one of each type."""
_MOST_SELECTION_BYTES: Final = 25 * 1024
_NOT_IN: Final = re.compile(r"\s*LogGroupName\s+NOT\s+IN\s*(\[.*\])\s*", re.DOTALL)
_MEMBERS: Final = {"DestinationArn", "RoleArn", "FilterPattern", "Distribution"}


def check_kind(kind: str) -> None:
    """Raise for a type of policies that is not built."""
    if kind not in _BUILT:
        raise errors.not_built(f"account policies of the type {kind}")


def subscription_of(ctx: Context, name: str, text: str) -> Subscription:
    """Return the subscription filter that a policy means, without a number yet. Raises AwsError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise errors.invalid("The policy document is not valid JSON.") from None
    if not isinstance(document, dict) or not all(isinstance(one, str) for one in document.values()):
        raise errors.invalid("The policy document is not an object of texts.")
    unknown = sorted(document.keys() - _MEMBERS)
    if unknown:
        raise errors.invalid(f"The policy document has an unknown member: {unknown[0]}")
    for member in ("DestinationArn", "FilterPattern"):
        if member not in document:
            raise errors.invalid(f"The policy document lacks {member}.")
    distribution = document.get("Distribution")
    if distribution not in (None, "Random", "ByLogStream"):
        raise errors.invalid("Distribution is Random or ByLogStream.")
    made = {
        "logGroupName": "",
        "filterName": name,
        "filterPattern": document["FilterPattern"],
        "destinationArn": document["DestinationArn"],
        "roleArn": document.get("RoleArn"),
        "distribution": distribution,
    }
    return subscription.checked(ctx, made)


def excluded_by(selection: str | None) -> list[str]:
    """Return the names of the log groups that a selection leaves out. Raises AwsError."""
    if selection is None:
        return []
    match = _NOT_IN.fullmatch(selection)
    if len(selection.encode()) > _MOST_SELECTION_BYTES or match is None:
        raise errors.invalid("selectionCriteria is LogGroupName NOT IN [], and has 25 KB at most.")
    try:
        names = json.loads(match[1])
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise errors.invalid("The log groups of selectionCriteria are not a list of names.")
    return names


async def put_subscription(
    ctx: Context, tx: Transaction, name: str, text: str, selection: str | None, made: Subscription
) -> Policy:
    """Store a policy with its subscription filter. Raises AwsError where there is one of another name."""
    own = receivers.own_group(made.destination)
    excluded = excluded_by(selection) + ([] if own is None else [own])
    policy = Policy(name, SUBSCRIPTION, text, selection, int(ctx.now() * 1000), excluded)
    others = await _others(ctx, tx, policy)
    made.id = policy.subscription = policy.subscription or await groups.new_id(tx)
    subscription.save(tx, made)
    _save(ctx, tx, [*others, policy])
    return policy


async def put_protection(ctx: Context, tx: Transaction, name: str, text: str) -> Policy:
    """Store a policy that protects data. Raises AwsError where there is one of another name."""
    policy = Policy(name, PROTECTION, text, None, int(ctx.now() * 1000))
    others = await _others(ctx, tx, policy)
    policy.subscription = await subscription.put_audit(ctx, tx, policy.subscription, "", name, text)
    protection.put(ctx, tx, protection.of_account(ctx.account, ctx.region), text)
    _save(ctx, tx, [*others, policy])
    return policy


async def _others(ctx: Context, tx: Transaction, policy: Policy) -> list[Policy]:
    """Return the policies of other types, and give a policy the number of the one that it replaces."""
    policies = await of_account(tx, ctx.account, ctx.region)
    old = next((one for one in policies if one.kind == policy.kind), None)
    if old is not None:
        if old.name != policy.name:
            raise AwsError("LimitExceededException", f"There is a policy of this type already: {old.name}")
        policy.subscription = old.subscription
    return [one for one in policies if one.kind != policy.kind]


def _save(ctx: Context, tx: Transaction, policies: list[Policy]) -> None:
    tx.put(_key(ctx.account, ctx.region), account_policy_record.encode(policies))


@lru_cache(_CACHED_KEYS)
def _key(account: str, region: str) -> bytes:
    return _POLICIES.key(account, region)


async def of_account(tx: Transaction, account: str, region: str) -> list[Policy]:
    """Return all policies of an account."""
    raw = await tx.get(_key(account, region))
    return [] if raw is None else account_policy_record.decode(raw)


async def remove(ctx: Context, tx: Transaction, name: str, kind: str) -> None:
    """Forget a policy. Raises AwsError."""
    policies = await of_account(tx, ctx.account, ctx.region)
    old = next((one for one in policies if (one.kind, one.name) == (kind, name)), None)
    if old is None:
        raise AwsError("ResourceNotFoundException", f"Policy with name [{name}] does not exist.")
    subscription.forget(tx, old.subscription)
    if kind == PROTECTION:
        protection.put(ctx, tx, protection.of_account(ctx.account, ctx.region), "")
    _save(ctx, tx, [one for one in policies if one is not old])


async def subscriptions(tx: Transaction, group: Group) -> list[int]:
    """Return the numbers of all subscription filters, and of audits, that events of a group are for."""
    numbers = [*group.subscriptions, group.audit] if group.audit else group.subscriptions
    policies = await of_account(tx, group.account, group.region)
    if not policies:
        return numbers
    return [*numbers, *(policy.subscription for policy in policies if group.name not in policy.excluded)]
