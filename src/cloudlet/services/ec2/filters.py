"""Filters of Describe operations (EC2 User Guide, "Filter resources").

A filter has several values, of which one is to match; several filters are to match all. `*` and `?` are wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.aws.policy.match import Matcher, compile_glob
from cloudlet.core.aws.policy.variables import Wildcard
from cloudlet.services.ec2.limits import MAX_FILTER_VALUES
from cloudlet.wire.timestamps import iso8601

Shown = Mapping[str, Any]
Matches = Callable[[Shown], bool]
_TAG: Final = "tag:"
_NEVER: Final = "(?!)"


class InvalidFilter(AwsError):
    """A filter that an operation does not have."""

    def __init__(self, name: str) -> None:
        super().__init__("InvalidParameterValue", f"The filter '{name}' is invalid")


def parse_filters(
    given: Sequence[Mapping[str, Any]] | None, names: Mapping[str, str], *, tags: str | None = "Tags"
) -> Matches:
    """Return what tells whether a resource, as the API shows it, matches all filters.

    `names` has the path that a filter compares, "" where that is its own name. `tags` is the member with tags.
    """
    tests = []
    for each in given or ():
        name, values = each.get("Name", ""), each.get("Values") or []
        if len(values) > MAX_FILTER_VALUES:
            raise AwsError(
                "FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200."
            )
        is_wanted = _compile(tuple(values))
        if tags is not None and name.startswith(_TAG):
            tests.append((_read_tag(tags, name.removeprefix(_TAG)), is_wanted))
        elif tags is not None and name in ("tag-key", "tag-value"):
            tests.append((_read_path(f"{tags}.{name[4:].capitalize()}"), is_wanted))
        elif name in names:
            tests.append((_read_path(names[name] or to_member(name)), is_wanted))
        else:
            raise InvalidFilter(name)

    def matches(shown: Shown) -> bool:
        return all(any(map(is_wanted, read(shown))) for read, is_wanted in tests)

    return matches


def to_member(name: str) -> str:
    """Return the member that a filter's name means: "VpcId" for "vpc-id"."""
    return "".join(part.capitalize() for part in name.split("-"))


@lru_cache(1024)
def _compile(values: tuple[str, ...]) -> Matcher:
    """Return what matches values with wildcards, which a backslash escapes."""
    matchers = [compile_glob(tuple(map(_make_token, re.findall(r"\\.|.", each, re.DOTALL)))) for each in values]
    return lambda text: any(matches(text) for matches in matchers)


def _make_token(part: str) -> str | Wildcard:
    return {"*": Wildcard.ANY, "?": Wildcard.ONE}.get(part) or part[-1]


def _read_tag(member: str, key: str) -> Callable[[Shown], list[str]]:
    return lambda shown: [each["Value"] for each in shown.get(member) or () if each["Key"] == key]


def _read_path(path: str) -> Callable[[Shown], list[str]]:
    parts = path.split(".")
    return lambda shown: list(_walk(shown, parts))


def _walk(value: Any, parts: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _walk(each, parts)
    elif parts:
        if isinstance(value, Mapping) and parts[0] in value:
            yield from _walk(value[parts[0]], parts[1:])
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, float):
        yield iso8601(value)
    elif value is not None:
        yield str(value)
