"""Event selectors, basic and advanced: which events a trail logs.

API reference, "EventSelector", "DataResource", "AdvancedEventSelector" and "AdvancedFieldSelector"; user guide,
"Logging data events".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.cloudtrail.event import Event

Selector = Mapping[str, Any]

DEFAULT: list[dict[str, Any]] = [
    {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    }
]
_MOST_BASIC = 5
_MOST_DATA_RESOURCES = 250
_MOST_VALUES = 500
_BASIC_TYPES = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb",
    "AWS::Lambda::Function": "arn:aws:lambda",
    "AWS::S3::Object": "arn:aws:s3",
}
"""Types of resources, and the value that means all of a type."""
_EXCLUDABLE = ("kms.amazonaws.com", "rdsdata.amazonaws.com")
_TYPE = re.compile(r"AWS::\w+::\w+")
_COMMON_FIELDS = frozenset(
    {"eventCategory", "eventName", "eventSource", "eventType", "readOnly", "sessionCredentialFromConsole"}
    | {"userIdentity.arn"}
)
_FIELDS = {"Management": _COMMON_FIELDS, "Data": _COMMON_FIELDS | {"resources.ARN", "resources.type"}}
_OF_TRAILS = frozenset({"eventCategory", "eventSource", "readOnly"})
"""By what trails, unlike event data stores, select management events."""
_EXACT = frozenset({"eventCategory", "readOnly", "resources.type"})
_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
_NEGATIVE = {f"Not{name}": test for name, test in _POSITIVE.items()}


def _invalid(why: str) -> AwsError:
    return AwsError("InvalidEventSelectorsException", why)


# -- which are admitted


def basic(given: Sequence[Selector]) -> list[dict[str, Any]]:
    """Return basic event selectors with what they have by default. Raises AwsError for such as AWS does not admit."""
    if not 1 <= len(given) <= _MOST_BASIC:
        raise _invalid("A trail has one to five event selectors.")
    chosen = [{**DEFAULT[0], **{name: value for name, value in each.items() if value is not None}} for each in given]
    resources = [resource for each in chosen for resource in each["DataResources"]]
    if sum(len(resource.get("Values") or ()) for resource in resources) > _MOST_DATA_RESOURCES:
        raise _invalid("The event selectors of a trail have at most 250 data resources.")
    for resource in resources:
        _check_resource(resource)
    for each in chosen:
        if not each["IncludeManagementEvents"] and not each["DataResources"]:
            raise _invalid("An event selector must include management events or data resources.")
        for source in each["ExcludeManagementEventSources"]:
            if source not in _EXCLUDABLE:
                raise _invalid(f"The management events of {source} cannot be excluded.")
    return chosen


def _check_resource(resource: Selector) -> None:
    everything = _BASIC_TYPES.get(resource.get("Type") or "")
    if everything is None:
        raise _invalid(f"The data resource type {resource.get('Type')} is not valid: {', '.join(_BASIC_TYPES)} are.")
    values = resource.get("Values") or []
    if not values:
        raise _invalid("A data resource must have values.")
    for value in values:
        if value.rstrip(":") != everything and not value.startswith(f"{everything}:"):
            raise _invalid(f"Value {value} for DataResources.Values is invalid.")


def of_trail(given: Sequence[Selector]) -> list[dict[str, Any]]:
    """Return advanced event selectors of a trail. Raises AwsError for such as AWS does not admit."""
    chosen = advanced(given)
    for each in chosen:
        by_name = {field["Field"]: field for field in each["FieldSelectors"]}
        if by_name["eventCategory"]["Equals"] == ["Management"]:
            _check_of_trail(by_name)
    return chosen


def _check_of_trail(fields: Mapping[str, Selector]) -> None:
    others = fields.keys() - _OF_TRAILS
    if others:
        raise _invalid(f"The field {min(others)} is not valid for management events of trails.")
    for operator, values in _conditions(fields.get("eventSource", {})):
        if operator != "NotEquals" or not set(values) <= set(_EXCLUDABLE):
            raise _invalid(f"The field eventSource of management events can exclude {' and '.join(_EXCLUDABLE)} only.")


def advanced(given: Sequence[Selector]) -> list[dict[str, Any]]:
    """Return advanced event selectors. Raises AwsError for such as AWS does not admit."""
    if not given:
        raise _invalid("There must be at least one advanced event selector.")
    conditions = [values for each in given for field in each["FieldSelectors"] for _, values in _conditions(field)]
    if sum(map(len, conditions)) > _MOST_VALUES:
        raise _invalid("The advanced event selectors of a trail have at most 500 values.")
    for each in given:
        _check_advanced(each["FieldSelectors"])
    return [
        {"Name": each.get("Name"), "FieldSelectors": [_without_nothing(field) for field in each["FieldSelectors"]]}
        for each in given
    ]


def _without_nothing(field: Selector) -> dict[str, Any]:
    return {name: value for name, value in field.items() if value is not None}


def _conditions(field: Selector) -> Iterator[tuple[str, list[str]]]:
    for operator in (*_POSITIVE, *_NEGATIVE):
        if field.get(operator):
            yield operator, field[operator]


def _check_advanced(fields: Sequence[Selector]) -> None:
    names = [field["Field"] for field in fields]
    if len(set(names)) < len(names):
        raise _invalid("An advanced event selector has each field once at most.")
    by_name = dict(zip(names, fields, strict=True))
    category = _only(by_name, "eventCategory")
    if category not in _FIELDS:
        raise _invalid(f"The eventCategory {category} cannot be selected here: Management and Data can.")
    for name, field in by_name.items():
        if name not in _FIELDS[category]:
            raise _invalid(f"The field {name} is not valid for events of the category {category}.")
        operators = [operator for operator, _ in _conditions(field)]
        if not operators:
            raise _invalid(f"The field {name} has no condition.")
        if name in _EXACT and operators != ["Equals"]:
            raise _invalid(f"The field {name} can be selected with Equals only.")
    if "readOnly" in by_name and _only(by_name, "readOnly") not in ("true", "false"):
        raise _invalid("The field readOnly is true or false.")
    if category == "Data" and _TYPE.fullmatch(_only(by_name, "resources.type")) is None:
        raise _invalid("The field resources.type is not a type of resources.")


def _only(fields: Mapping[str, Selector], name: str) -> str:
    """Return the one value of a field that has to be there. Raises AwsError."""
    values = fields.get(name, {}).get("Equals") or []
    if len(values) != 1:
        raise _invalid(f"An advanced event selector must have the field {name}, equal to one value.")
    return str(values[0])


# -- what they select


def select_data(basic: Sequence[Selector], advanced: Sequence[Selector]) -> bool:
    """Whether selectors may select data events."""
    return any(each["DataResources"] for each in basic) or any(
        "Data" in field.get("Equals", ())
        for each in advanced
        for field in each["FieldSelectors"]
        if field["Field"] == "eventCategory"
    )


def any_basic(given: Sequence[Selector], event: Event) -> bool:
    """Whether one of some basic selectors selects an event."""
    return any(_basic_selects(each, event) for each in given)


def _basic_selects(selector: Selector, event: Event) -> bool:
    wanted = selector["ReadWriteType"]
    if wanted != "All" and (wanted == "ReadOnly") != event.record["readOnly"]:
        return False
    if event.is_management:
        excluded = selector["ExcludeManagementEventSources"]
        return bool(selector["IncludeManagementEvents"]) and event.record["eventSource"] not in excluded
    return any(
        _means(resource["Type"], value, arn)
        for resource in selector["DataResources"]
        for kind, arn in event.arns
        if kind == resource["Type"]
        for value in resource["Values"]
    )


def _means(kind: str, value: str, arn: str) -> bool:
    """Whether a value of a data resource means an ARN: those of objects by how they begin, others as a whole."""
    if value.rstrip(":") == _BASIC_TYPES[kind]:
        return True
    return arn.startswith(value) if kind == "AWS::S3::Object" else arn == value


def any_advanced(given: Sequence[Selector], event: Event) -> bool:
    """Whether one of some advanced selectors selects an event."""
    return any(all(_field_selects(field, event) for field in each["FieldSelectors"]) for each in given)


def _field_selects(field: Selector, event: Event) -> bool:
    values = _values(field["Field"], event)
    positive = [(_POSITIVE[name], wanted) for name, wanted in _conditions(field) if name in _POSITIVE]
    negative = [(_NEGATIVE[name], wanted) for name, wanted in _conditions(field) if name in _NEGATIVE]
    if positive and not any(test(value, each) for test, wanted in positive for each in wanted for value in values):
        return False
    return not any(test(value, each) for test, wanted in negative for each in wanted for value in values)


def _values(field: str, event: Event) -> list[str]:
    """Return what an event has in a field; nothing where it lacks it."""
    record = event.record
    match field:
        case "resources.type":
            return [kind for kind, _ in event.arns]
        case "resources.ARN":
            return [arn for _, arn in event.arns]
        case "readOnly":
            return ["true" if record["readOnly"] else "false"]
        case "sessionCredentialFromConsole":
            # No call is made from a console of Cloudlet's.
            return ["false"]
        case "userIdentity.arn":
            return [arn] if (arn := record["userIdentity"].get("arn")) else []
    return [record[field]]
