"""The filters of lists: all of them have to match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudlet.services.servicediscovery.errors import InvalidInput

_EQ, _IN, _BETWEEN, _BEGINS_WITH = "EQ", "IN", "BETWEEN", "BEGINS_WITH"
Filter = Callable[[Mapping[str, Any]], bool]


def make_filter(given: Sequence[Mapping[str, Any]] | None) -> Filter:
    """Return what tells whether something with such members is wanted. Raises InvalidInput."""
    checks = []
    for each in given or ():
        name, values, condition = each["Name"], each["Values"], each.get("Condition") or _EQ
        if condition == _EQ and len(values) != 1:
            raise InvalidInput(f"The condition EQ of the filter {name} takes exactly one value.")
        if condition == _BEGINS_WITH and len(values) != 1:
            raise InvalidInput(f"The condition BEGINS_WITH of the filter {name} takes exactly one value.")
        if (condition == _BETWEEN) != (name == "UPDATE_DATE") or (condition == _BETWEEN and len(values) != 2):
            raise InvalidInput("The filter UPDATE_DATE takes the condition BETWEEN and two values, and it alone does.")
        checks.append((name, values, condition))

    def matches(known: Mapping[str, Any]) -> bool:
        members = {"RESOURCE_OWNER": "SELF", **known}
        return all(_matches(members.get(name, ""), values, condition) for name, values, condition in checks)

    return matches


def _matches(known: Any, values: Sequence[str], condition: str) -> bool:
    if condition == _BEGINS_WITH:
        return str(known).startswith(values[0])
    if condition != _BETWEEN:
        return known in values
    try:
        first, last = map(float, values)
    except ValueError:
        raise InvalidInput("The values of UPDATE_DATE are dates in seconds since the epoch.") from None
    return first <= float(known) <= last
