"""Message attributes: what may be published. Developer guide, "Message attribute items and validation"."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.sns.message import Attribute

_NAME = re.compile(
    r"(?!(?i:aws\.|amazon\.)(?!(?:SNS\.MOBILE|SNS\.SMS|MM\.SMS)\.))(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)"
)
_TYPE = re.compile(r"(String\.Array|String|Number|Binary)(\..+)?", re.DOTALL)
_TYPE_BYTES = 256


def checked(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Return message attributes as they are kept. Raises AwsError."""
    return {name: _checked(name, value) for name, value in attributes.items()}


def size(attributes: Mapping[str, Attribute]) -> int:
    """Return the bytes that attributes count towards the size of their message: name, type and value."""
    total = 0
    for name, attribute in attributes.items():
        value = attribute.value
        total += len(name) + len(attribute.type.encode()) + len(value if isinstance(value, bytes) else value.encode())
    return total


def _invalid(message: str) -> AwsError:
    return AwsError("ParameterValueInvalid", message)


def _checked(name: str, given: Mapping[str, Any]) -> Attribute:
    if not _NAME.fullmatch(name):
        raise _invalid(
            f"The message attribute name '{name}' is invalid. It can contain only A-Z, a-z, 0-9, underscores, hyphens "
            "and periods, must not start with AWS. or Amazon., must not start or end with a period or have periods "
            "in succession, and can be up to 256 characters long."
        )
    kind = given.get("DataType")
    if not kind:
        raise _invalid(f"The message attribute '{name}' must contain non-empty message attribute type.")
    match = _TYPE.fullmatch(kind)
    if match is None or len(kind.encode()) > _TYPE_BYTES:
        raise _invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    base = match[1]
    member, other = ("BinaryValue", "StringValue") if base == "Binary" else ("StringValue", "BinaryValue")
    value = given.get(member)
    if given.get(other):
        raise _invalid(f"The message attribute '{name}' with type '{kind}' must use field '{member[:-5]}'.")
    if not value:
        raise _invalid(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{kind}'."
        )
    if base == "Number":
        _check_number(name, value)
    elif base == "String.Array":
        _check_array(name, value)
    return Attribute(kind, value)


def _check_number(name: str, text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not text.isascii() or "_" in text:
        raise _invalid(f"Could not cast message attribute '{name}' value to number.")


def _check_array(name: str, text: str) -> None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = {}
    # AWS takes one value for an array of one.
    if any(isinstance(value, list | dict) for value in (values if isinstance(values, list) else [values])):
        raise _invalid(f"The message attribute '{name}' with type 'String.Array' must be an array of simple values.")
