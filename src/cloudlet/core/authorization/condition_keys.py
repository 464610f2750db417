"""The condition keys of a call: global ones, and those of the request.

Sources: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.authorization.nested_keys import NESTED_KEYS
from cloudlet.core.aws import iso8601
from cloudlet.core.aws.arn import Arn

if TYPE_CHECKING:
    from cloudlet.core.authorization.catalog import Rule
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.kernel.identity import Principal

Keys = dict[str, "str | Sequence[str]"]


class LazyKeys(Mapping[str, "str | Sequence[str]"]):
    """Condition keys that are worked out when a policy asks for them."""

    def __init__(self, make: Callable[[], Keys]) -> None:
        self._make = make

    @cached_property
    def _keys(self) -> Keys:
        return self._make()

    def __getitem__(self, name: str) -> str | Sequence[str]:
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


Getter = Callable[["Context", "Principal"], "str | Sequence[str] | None"]
"""Returns the value of a condition key for a caller; None where it has none."""
_PRINCIPAL_TYPES: Final = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
    "service": "Service",
}
_TAG_MEMBERS: Final = ("Tags", "tags", "TagsList", "AddTags", "TagList")
_TAG_KEY_MEMBERS: Final = ("TagKeys", "tagKeys", "RemoveTagKeys")
TAG_MEMBERS: Final = frozenset((*_TAG_MEMBERS, *_TAG_KEY_MEMBERS, "TagSpecifications"))
"""The members of requests that have tags, or their keys."""
_NO_WORD: Final = re.compile(r"[^a-z0-9]")


def list_global_keys(ctx: Context, account: str, principal: Principal | None = None) -> Keys:
    """Return the global condition keys of a call about a resource of an account.

    `principal` is the caller, where that is not the context's.
    """
    caller = principal or ctx.principal
    now = int(ctx.now())
    keys: Keys = {"aws:CurrentTime": iso8601.second(now), "aws:EpochTime": str(now), "aws:ResourceAccount": account}
    for name, find in _OF_CALLS.items():
        value = find(ctx, caller)
        if value is not None:
            keys[name] = value
    keys |= {f"aws:PrincipalTag/{key}": value for key, value in ctx.permissions.tags.items()}
    keys |= _list_session_keys(caller, now)
    return keys


def find_getter(name: str) -> Getter | None:
    """Return what finds a global key's value; None where time or parameters change it.

    The name is in lower case.
    """
    return _GETTERS.get(name)


def get_source_account(ctx: Context) -> str:
    """Return the account of the resource for which a service calls, if any."""
    if not ctx.source_arn:
        return ""
    # Some ARNs, as those of buckets, name no account: then it is the one for which the service calls.
    return ctx.source_arn.split(":")[4] or ctx.principal.account


def get_principal_arn(caller: Principal) -> str:
    """Return the ARN of a caller, or of the role of a session.

    The role's path is left out where it is not known.
    """
    if caller.kind != "assumed-role":
        return caller.arn
    if caller.session is not None and caller.session.issuer:
        return caller.session.issuer
    arn = Arn.parse(caller.arn)
    return str(Arn(arn.partition, "iam", "", arn.account, f"role/{arn.resource.split('/')[1]}"))


def _identify(ctx: Context, caller: Principal) -> str | None:
    return None if caller.kind == "anonymous" else ctx.permissions.identify(caller)


_OF_CALLS: Final[dict[str, Getter]] = {
    "aws:PrincipalAccount": lambda ctx, caller: caller.account,
    "aws:PrincipalIsAWSService": lambda ctx, caller: _make_boolean(caller.kind == "service"),
    "aws:PrincipalType": lambda ctx, caller: _PRINCIPAL_TYPES[caller.kind],
    "aws:RequestedRegion": lambda ctx, caller: ctx.region,
    "aws:SecureTransport": lambda ctx, caller: _make_boolean(ctx.secure),
    "aws:SourceIp": lambda ctx, caller: ctx.source_ip,
    "aws:ViaAWSService": lambda ctx, caller: _make_boolean(caller.is_forwarded),
    "aws:CalledVia": lambda ctx, caller: (caller.invoked_by,) if caller.is_forwarded else None,
    "aws:CalledViaFirst": lambda ctx, caller: caller.invoked_by if caller.is_forwarded else None,
    "aws:CalledViaLast": lambda ctx, caller: caller.invoked_by if caller.is_forwarded else None,
    "aws:PrincipalArn": lambda ctx, caller: None if caller.kind == "anonymous" else get_principal_arn(caller),
    "aws:userid": _identify,
    "aws:username": lambda ctx, caller: caller.arn.rpartition("/")[2] if caller.kind == "user" else None,
    "aws:PrincipalServiceName": lambda ctx, caller: caller.arn if caller.kind == "service" else None,
    "aws:SourceArn": lambda ctx, caller: ctx.source_arn or None,
    "aws:SourceAccount": lambda ctx, caller: get_source_account(ctx) if ctx.source_arn else None,
    "aws:Referer": lambda ctx, caller: ctx.headers.get("referer"),
    "aws:UserAgent": lambda ctx, caller: ctx.headers.get("user-agent"),
}
"""The global keys that the caller and the connection decide, but for those of sessions."""
_GETTERS: Final = {name.lower(): find for name, find in _OF_CALLS.items()}


def _make_boolean(value: bool) -> str:
    return "true" if value else "false"


def _list_session_keys(caller: Principal, now: int) -> Keys:
    session = caller.session
    if session is None:
        return {}
    keys: Keys = dict(session.keys)
    if caller.access_key.startswith("ASIA"):
        # Long-term credentials do not have this key at all.
        keys["aws:MultiFactorAuthPresent"] = "true" if session.mfa_at else "false"
    if session.mfa_at:
        keys["aws:MultiFactorAuthAge"] = str(max(0, now - int(session.mfa_at)))
    if session.issued_at:
        keys["aws:TokenIssueTime"] = iso8601.second(int(session.issued_at))
    if session.source_identity:
        keys["aws:SourceIdentity"] = session.source_identity
    if session.provider:
        keys["aws:FederatedProvider"] = session.provider
    return keys


def list_request_keys(rule: Rule, params: Mapping[str, Any]) -> Keys:
    """Return the keys that a request's tags and members fill."""
    keys: Keys = {f"aws:RequestTag/{name}": value for name, value in _list_tags(params)}
    names = list_requested_tags(params)
    if names:
        keys["aws:TagKeys"] = names
    members = {_NO_WORD.sub("", name.lower()): value for name, value in params.items()}
    for key in rule.condition_keys:
        if key.startswith("aws:") or "/" in key or "${" in key:
            continue
        if (read := NESTED_KEYS.get(key)) is not None:
            keys |= {key: values} if (values := read(params)) else {}
            continue
        found = _make_text(members.get(_NO_WORD.sub("", key.partition(":")[2].lower())))
        if found is not None:
            keys[key] = found
    return keys


def list_requested_tags(params: Mapping[str, Any]) -> list[str]:
    """Return the keys of the tags that a request sets or removes."""
    names = [name for name, _ in _list_tags(params)]
    for member in (*_TAG_KEY_MEMBERS, *_TAG_MEMBERS):
        given = params.get(member)
        names += [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    return names


def list_tag_keys(action: str, tags: Mapping[str, str]) -> Keys:
    """Return the keys that a resource's tags fill: global ones, and the service's own."""
    prefix = action.partition(":")[0]
    return {f"{who}:ResourceTag/{name}": value for name, value in tags.items() for who in ("aws", prefix)}


def _list_tags(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for member in _TAG_MEMBERS:
        tags = params.get(member)
        if isinstance(tags, dict):
            yield from ((str(name), str(value)) for name, value in tags.items())
        # Some operations that remove tags have their names alone under this name.
        for tag in (each for each in tags if isinstance(each, dict)) if isinstance(tags, list) else ():
            parts = {str(name).lower().removeprefix("tag"): value for name, value in tag.items()}
            yield str(parts.get("key", "")), str(parts.get("value", ""))
    for specification in params.get("TagSpecifications") or ():
        yield from _list_tags(specification)


def _make_text(value: Any) -> str | list[str] | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return list(value)
    return None
