"""Message attributes and message system attributes: what may be sent, and which of them a receiver asked for.

Developer Guide, "Amazon SQS message metadata"; the API reference of MessageAttributeValue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cloudlet.services.sqs import errors, limits
from cloudlet.services.sqs.digests import Attribute

_NAME = re.compile(r"(?!(?i:aws\.|amazon\.))(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_TYPE_LENGTH = 256
_TRACE_HEADER = "AWSTraceHeader"
_TRACE_CHARACTERS = 1_024
"""More than a trace header has. It counts for nothing in the size of its message."""
_ALL = ("All", ".*", "*")
_DIGITS = 38
_EXPONENTS = range(-128, 127)


def checked(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Return message attributes as they are stored. Raises AwsError."""
    if len(attributes) > limits.MESSAGE_ATTRIBUTES:
        raise errors.invalid_parameter(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{limits.MESSAGE_ATTRIBUTES}]."
        )
    return {name: _checked(name, value) for name, value in attributes.items()}


def _checked(name: str, value: Mapping[str, Any]) -> Attribute:
    if not name:
        raise errors.invalid_parameter("The request must contain non-empty message attribute name.")
    if not _NAME.fullmatch(name):
        raise errors.invalid_parameter(
            f"Message (user) attribute name '{name}' is invalid. It can contain only alphanumeric characters, "
            "underscores, hyphens and periods, must not start with AWS. or Amazon., must not start or end with a "
            "period or have periods in succession, and can be up to 256 characters long."
        )
    return _value(f"message (user) attribute '{name}'", value)


def checked_system(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Return message system attributes as they are stored: AWSTraceHeader alone may be sent. Raises AwsError."""
    for name in attributes:
        if name != _TRACE_HEADER:
            raise errors.unknown_system_attribute(name)
    found = {name: _value(f"message system attribute '{name}'", value) for name, value in attributes.items()}
    for name, value in found.items():
        if value["DataType"] != "String":
            raise errors.invalid_parameter(f"The type of message system attribute '{name}' must be String.")
        if len(value["StringValue"]) > _TRACE_CHARACTERS:
            raise errors.invalid_parameter(f"The value of message system attribute '{name}' is no trace header.")
    return found


def _value(what: str, value: Mapping[str, Any]) -> Attribute:
    kind = value.get("DataType")
    subject = what[:1].upper() + what[1:]
    if not kind:
        raise errors.no_attribute_type(what)
    match = _TYPE.fullmatch(kind)
    if match is None or len(kind) > _TYPE_LENGTH:
        raise errors.invalid_parameter(
            f"The type of {what} is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise errors.invalid_parameter("Message attribute list values in SendMessage operation are not supported.")
    base = match[1]
    member, other = ("BinaryValue", "StringValue") if base == "Binary" else ("StringValue", "BinaryValue")
    content = value.get(member)
    if value.get(other):
        raise errors.invalid_parameter(f"{subject} with type '{kind}' must use field '{member[:-5]}'.")
    if not content:
        raise errors.invalid_parameter(f"{subject} must contain a non-empty value of type '{base}'.")
    if base == "Number":
        _check_number(what, content)
    elif base == "String":
        character = limits.forbidden_character(content)
        if character:
            raise errors.invalid_contents(character)
    return {"DataType": kind, member: content}


def _check_number(what: str, text: str) -> None:
    """Up to 38 digits, between 10^-128 and 10^126 in size."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not text.isascii() or "_" in text:
        raise errors.invalid_parameter(f"Can't cast the value of {what} to a number.")
    if len(number.as_tuple().digits) > _DIGITS or (number and number.adjusted() not in _EXPONENTS):
        raise errors.invalid_parameter(f"Number in {what} should be in range (-10**128..10**126).")


def size(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes that attributes count towards the size of their message: name, type and value."""
    total = 0
    for name, value in attributes.items():
        total += len(name)
        for part in value.values():
            total += len(part.encode(errors="surrogatepass")) if isinstance(part, str) else len(part)
    return total


def selected(attributes: dict[str, Attribute], names: Iterable[str]) -> dict[str, Attribute]:
    """Return those that a receiver asked for: by name, by a prefix (`bar.*`), or all (`All`, `.*`, `*`)."""
    exact = set(names)
    if not exact.isdisjoint(_ALL):
        return attributes
    prefixes = tuple(name[:-2] for name in exact if name.endswith(".*"))
    return {
        name: value for name, value in attributes.items() if name in exact or (prefixes and name.startswith(prefixes))
    }
