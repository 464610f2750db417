"""The data types of parameters: what a value of each is. API reference, "PutParameter".

A StringList has the type in each of its items.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cloudlet.services.ssm.errors import NotBuilt, ValidationError

TEXT: Final = "text"
INTEGRATION: Final = "aws:ssm:integration"
NEED_ADVANCED: Final = frozenset(("url", "json"))
"""Data types that only parameters of the advanced tier have."""
_UNBUILT: Final = frozenset(("aws:ec2:image", "binary", "jsonc"))
_MAX_HOSTNAME_CHARACTERS: Final = 253
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def _compile(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _is_hostname(value: str) -> bool:
    return len(value) <= _MAX_HOSTNAME_CHARACTERS and _HOSTNAME.fullmatch(value) is not None


def _is_email(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    return re.fullmatch(r"[^\s@]{1,64}", local) is not None and _is_hostname(domain)


def _is_address(kind: Callable[[str], object]) -> Callable[[str], bool]:
    def is_one(value: str) -> bool:
        try:
            kind(value)
        except AddressValueError:
            return False
        return True

    return is_one


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and not re.search(r"\s", value)


def _is_json(value: str) -> bool:
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


_IS_VALID: Final[dict[str, Callable[[str], bool]]] = {
    TEXT: lambda _: True,
    INTEGRATION: lambda _: True,
    "aws:region": _compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d"),
    "aws:account:id": _compile(r"\d{12}"),
    "boolean": _compile(r"true|false"),
    "integer": _compile(r"[+-]?\d+"),
    "float": _compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"),
    "hostname": _is_hostname,
    "email": _is_email,
    "ipv4-address": _is_address(IPv4Address),
    "ipv6-address": _is_address(IPv6Address),
    "url": _is_url,
    "json": _is_json,
}


def check_value(data_type: str, kind: str, value: str) -> None:
    """Raise AwsError where the value of a parameter is not of a data type."""
    if data_type in _UNBUILT:
        raise NotBuilt(f"the data type {data_type}")
    is_valid = _IS_VALID.get(data_type)
    if is_valid is None:
        raise ValidationError(f"The following data type is not supported: {data_type}. Verify the data type.")
    items = value.split(",") if kind == "StringList" and data_type not in (TEXT, INTEGRATION) else (value,)
    if not all(map(is_valid, items)):
        raise ValidationError(f"Parameter value: is not of the data type {data_type}.")


def check_change(old: str, new: str) -> None:
    """Raise ValidationException where a parameter cannot change from one data type to another."""
    if old != new and INTEGRATION in (old, new):
        raise ValidationError(f"A parameter can't be changed from the data type {old} to {new}.")
