"""The resources of a request, as ARNs: patterns filled from its members."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

from cloudlet.core.authorization.catalog import Rule, get_arn_keys
from cloudlet.wire import Operation


class Scope(Protocol):
    """The account and the region of a request."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...


_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_DEFAULTS: Final = {
    ("ecs", "ClusterName"): "default",
    ("events", "EventBusName"): "default",
    ("logs", "LogGroupName"): "",
    ("scheduler", "GroupName"): "default",
}
"""The names of resources that a request means where it names none."""
_GOING_ON: Final = (("logs", "LogGroupName"),)
"""Variables that requests may fill with an ARN, and that others follow in the pattern."""
_PARENTS: Final = (("ecs", "ClusterName"),)
"""Variables that requests may fill with the ARN of what the resource belongs to."""
_CHOICE: Final = re.compile(r"\{([^}]+)\}")
_URI_PART: Final = re.compile(r"\{(\w+)\+?\}")


def list_resources(rule: Rule, ctx: Scope, operation: Operation, params: Mapping[str, Any]) -> list[list[str]]:
    """Return the ARNs that a request is about, by pattern; at least one."""
    if rule.actions[0].startswith("apigateway:"):
        return [[_make_path(ctx, operation, params)]]
    found = [_fill(pattern, rule, ctx, params) for pattern in rule.resources]
    for pattern in rule.optional_resources:
        names = _VARIABLE.findall(pattern)
        if all(name in ("Partition", "Region", "Account") or read(params, rule.vars.get(name, "")) for name in names):
            found.append(_fill(pattern, rule, ctx, params))
    # A call that names no resource is about all of them.
    return found or [["*"]]


def list_arn_keys(
    model: str, rule: Rule, ctx: Scope, operation: Operation, params: Mapping[str, Any]
) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of an operation that are ARNs of what the request names."""
    shape = operation.input_shape
    members = () if shape is None else shape.members
    return {
        key: _fill(each.pattern, Rule((), (), vars=each.vars), ctx, params)[0]
        for key, each in get_arn_keys(model).items()
        if key in rule.condition_keys and all(member in members for member in each.vars.values())
    }


def _make_path(ctx: Scope, operation: Operation, params: Mapping[str, Any]) -> str:
    """Return API Gateway's name of a resource, the path of the request.

    Developer Guide, "Control access to a REST API with IAM permissions".
    """
    path = operation.uri.split("?")[0].removeprefix("/v2")
    shape = operation.input_shape
    names = {} if shape is None else {ref.wire_name or name: name for name, ref in shape.members.items()}

    def fill(match: re.Match[str]) -> str:
        return quote(str(params.get(names.get(match[1], match[1]), "*")), safe="*")

    return f"arn:aws:apigateway:{ctx.region}::{_URI_PART.sub(fill, path)}"


def _fill(pattern: str, rule: Rule, ctx: Scope, params: Mapping[str, Any]) -> list[str]:
    if pattern == "*":
        return ["*"]
    service = pattern.split(":")[2]
    paths = dict.fromkeys(path for name, path in rule.vars.items() if name.endswith(":*"))
    given = [value for path in paths for value in read(params, path)]
    whole = [value for value in given if value.startswith("arn:") and _fits(pattern, value)]
    if whole:
        return whole
    known = {"Partition": ["aws"], "Region": [ctx.region], "Account": [ctx.account]}
    arns = [""]
    position = 0
    for match in _VARIABLE.finditer(pattern):
        name = match[1]
        values = known.get(name)
        if values is None:
            values = [*read(params, rule.vars.get(name, "")), *(given if name not in rule.vars else ())]
            if name.endswith("FamilyAndRevision"):
                # Without a revision it is the latest one, whichever that is.
                values = [value if ":" in value.rpartition("/")[2] else f"{value}:*" for value in values]
            if (service, name) in _GOING_ON:
                values = [value.removesuffix(":*") for value in values]
            elif (service, name) in _PARENTS and not all(_fits(pattern, value) for value in values):
                values = [value.rpartition("/")[2] for value in values]
            elif whole := [value for value in values if value.startswith("arn:")]:
                return whole
            if name.endswith("WithoutLeadingSlash"):
                values = [value.removeprefix("/") for value in values]
            values = values or [_DEFAULTS.get((service, name), "*")]
        literal = pattern[position : match.start()]
        arns = [value if value.startswith("arn:") else f"{arn}{literal}{value}" for arn in arns for value in values]
        position = match.end()
    return [arn + pattern[position:] for arn in arns]


def _fits(pattern: str, arn: str) -> bool:
    """Whether an ARN has the service and the kind of resource of a pattern."""
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    if len(given) < 6 or wanted[2] != given[2]:
        return False
    kind = _VARIABLE.split(wanted[5])[0]
    return given[5].startswith(kind)


def read(params: Mapping[str, Any], path: str) -> list[str]:
    """Return the texts at a path of members, such as `Targets[].RoleArn`.

    `A.{B,C}` is one of several members, `A{}` the keys of a map, `**` whatever lies between; `A is X` counts only what
    is X, and `A when B is *X` only where B ends so, `A when B is *X or missing` also where B is not there. A path that
    leads outside the request has none.
    """
    if not path or path.startswith(("=", "lookup:", "store:")):
        return []
    path, _, condition = path.partition(" when ")
    if condition:
        name, _, ending = condition.partition(" is *")
        ending, _, or_missing = ending.partition(" or ")
        if not str(params.get(name, ending if or_missing else "")).endswith(ending):
            return []
    path, _, wanted = path.partition(" is ")
    found = [str(value) for value in _walk(params, path.split(" ")[0].split(".")) if isinstance(value, str | int)]
    return [value for value in found if value == wanted] if wanted else found


def is_given(params: Mapping[str, Any], path: str) -> bool:
    """Whether a request has something at a path of members, of whatever type.

    With `A is X` it is X.
    """
    path, _, wanted = path.partition(" is ")
    found = _walk(params, path.split(" ")[0].split("."))
    return wanted in map(str, found) if wanted else any(found)


def _walk(value: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield from value if isinstance(value, list) else [value]
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _search(value, rest)
    elif isinstance(value, dict):
        for name in _match_names(part, value):
            inner = value[name]
            if part.endswith("{}"):
                yield from inner
                continue
            for each in inner if part.endswith("[]") and isinstance(inner, list) else [inner]:
                yield from _walk(each, rest)


def _match_names(part: str, value: dict[str, Any]) -> list[str]:
    """Return the members that a part of a path means."""
    name = part.removesuffix("[]").removesuffix("{}")
    if "{" not in name:
        return [name] if name in value else []
    pattern = re.compile(_CHOICE.sub(lambda match: f"({match[1].replace(',', '|')})", name))
    return [each for each in value if pattern.fullmatch(each)]


def _search(value: Any, parts: list[str]) -> Iterator[Any]:
    """Return what is at a path anywhere below a value."""
    if isinstance(value, list):
        for each in value:
            yield from _search(each, parts)
    elif isinstance(value, dict):
        yield from _walk(value, parts)
        for each in value.values():
            yield from _search(each, parts)
