"""The filters of lists: which parameters a request asks for. API reference, "ParameterStringFilter"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.services.ssm.errors import ValidationError
from cloudlet.services.ssm.names import get_levels, parse_path
from cloudlet.services.ssm.parameter_record import Parameter

Predicate = Callable[[Parameter], bool]
Filter = Mapping[str, Any]

_EQUALS: Final = "Equals"
_BEGINS: Final = "BeginsWith"
_CONTAINS: Final = "Contains"
_ONE_LEVEL: Final = "OneLevel"
_RECURSIVE: Final = "Recursive"
_TAG: Final = "tag:"
LABEL: Final = "Label"


class _Key(NamedTuple):
    """A key of filters: its options, the default first, and its text."""

    options: tuple[str, ...]
    get: Callable[[Parameter], str | None]


_KEYS: Final = {
    "Name": _Key((_EQUALS, _BEGINS, _CONTAINS), lambda parameter: parameter.name),
    "Type": _Key((_EQUALS, _BEGINS), lambda parameter: parameter.latest.type),
    "KeyId": _Key((_EQUALS, _BEGINS), lambda parameter: parameter.latest.key_id or None),
    "Tier": _Key((_EQUALS, _BEGINS), lambda parameter: parameter.latest.tier),
    "DataType": _Key((_EQUALS, _BEGINS), lambda parameter: parameter.latest.data_type),
}
_PATH_OPTIONS: Final = (_ONE_LEVEL, _RECURSIVE)
_OF_PATHS: Final = frozenset(("Type", "KeyId", LABEL))
"""The keys of the filters of GetParametersByPath."""


def parse_list_filters(filters: Iterable[Filter]) -> Predicate:
    """Return the predicate of the filters of DescribeParameters. Raises AwsError."""
    return _join(filters, lambda key: key != LABEL)


def parse_path_filters(filters: Iterable[Filter]) -> Predicate:
    """Return the predicate of the filters of GetParametersByPath. Raises AwsError."""
    return _join(filters, lambda key: key in _OF_PATHS)


def parse_older_filters(filters: Iterable[Filter]) -> Predicate:
    """Return the predicate of the older filters of DescribeParameters, which have no options. Raises AwsError."""
    return parse_list_filters({"Key": each["Key"], "Values": each["Values"]} for each in filters)


def get_labels(filters: Iterable[Filter]) -> tuple[str, ...]:
    """Return the labels that are asked for."""
    return tuple(value for each in filters if each["Key"] == LABEL for value in each["Values"])


def _join(filters: Iterable[Filter], is_allowed: Callable[[str], bool]) -> Predicate:
    """Return the predicate of filters all of which must hold."""
    known: set[str] = set()
    predicates: list[Predicate] = []
    for each in filters:
        key = each["Key"]
        if not is_allowed(key):
            raise AwsError("InvalidFilterKey", f"The following filter key is not valid: {key}.")
        if key in known:
            raise ValidationError(
                f"The following filter is duplicated in the request: {key}. "
                "A request can contain only one occurrence of a specific filter."
            )
        known.add(key)
        predicates.append(_parse(each))
    return lambda parameter: all(holds(parameter) for holds in predicates)


def _parse(given: Filter) -> Predicate:
    key, values = given["Key"], given.get("Values") or ()
    if not values and not key.startswith(_TAG):
        raise AwsError("InvalidFilterValue", f"The following filter values are missing: null for filter key {key}")
    if key == "Path":
        return _parse_path(_get_option(given, _PATH_OPTIONS), values)
    if key == LABEL:
        _get_option(given, (_EQUALS,))
        return lambda parameter: any(label in parameter.labels for label in values)
    if key.startswith(_TAG):
        tag = key.removeprefix(_TAG)
        return _match(_get_option(given, (_EQUALS, _BEGINS)), values, lambda parameter: parameter.tags.get(tag))
    return _match(_get_option(given, _KEYS[key].options), values, _KEYS[key].get)


def _get_option(given: Filter, options: tuple[str, ...]) -> str:
    option: str = given.get("Option") or options[0]
    if option not in options:
        raise AwsError(
            "InvalidFilterOption",
            f"The following filter option is not valid: {option}. "
            f"Valid options include: [{', '.join(sorted(options))}]",
        )
    return option


def _match(option: str, values: tuple[str, ...], get: Callable[[Parameter], str | None]) -> Predicate:
    """Return the predicate that one of some values, or anything without values, matches a text."""

    def is_match(parameter: Parameter) -> bool:
        text = get(parameter)
        if text is None:
            return False
        match option:
            case "Equals":
                return text in values or not values
            case "BeginsWith":
                return text.startswith(tuple(values)) or not values
            case _:
                return any(value in text for value in values)

    return is_match


def _parse_path(option: str, values: tuple[str, ...]) -> Predicate:
    paths = [parse_path(value) for value in values]

    def is_below(parameter: Parameter) -> bool:
        levels = get_levels(parameter.name)
        for path in paths:
            depth = len(levels) - len(path)
            if levels[: len(path)] == path and (depth == 1 or (depth > 1 and option == _RECURSIVE)):
                return True
        return False

    return is_below
