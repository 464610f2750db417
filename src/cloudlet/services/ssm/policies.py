"""Policies of parameters: when they expire, and when EventBridge is told of that.

User guide, "Assigning parameter policies in Parameter Store".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.services.ssm.errors import ValidationError
from cloudlet.services.ssm.parameter_record import Policy

MAX_POLICIES: Final = 10
EXPIRATION: Final = "Expiration"
_BEFORE_EXPIRATION: Final = "ExpirationNotification"
_NO_CHANGE: Final = "NoChangeNotification"
_UNIT_MILLISECONDS: Final = {"Days": 86_400_000, "Hours": 3_600_000}
_MAX_AMOUNT_DIGITS: Final = 6


def parse(text: str, now: float) -> tuple[Policy, ...]:
    """Return the policies that a request has for a version which is made now (s). Raises AwsError."""
    try:
        documents = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        documents = None
    if not isinstance(documents, list) or not all(isinstance(each, dict) for each in documents):
        raise ValidationError("Policies must be a JSON array of policies.")
    # An empty policy takes away those that there are.
    documents = [each for each in documents if each]
    if len(documents) > MAX_POLICIES:
        message = "You specified more than the maximum number of allowed policies for the parameter. The maximum is 10."
        raise AwsError("PoliciesLimitExceededException", message)
    kinds = [_get_type(each) for each in documents]
    if kinds.count(EXPIRATION) > 1:
        raise _Incompatible("There can be one Expiration policy only.")
    if _BEFORE_EXPIRATION in kinds and EXPIRATION not in kinds:
        raise _Incompatible("An ExpirationNotification policy needs an Expiration policy.")
    expires = next((_parse_timestamp(each, now) for each in documents if each["Type"] == EXPIRATION), 0)
    return tuple(_make(each, expires, int(now * 1000)) for each in documents)


def carry_over(policies: tuple[Policy, ...], now: float) -> tuple[Policy, ...]:
    """Return the policies of a version for the next one, which is made now (s).

    Only NoChangeNotification begins anew.
    """
    return tuple(
        replace(each, due=_get_no_change_due(msgspec.json.decode(each.text), int(now * 1000)), is_finished=False)
        if each.type == _NO_CHANGE
        else each
        for each in policies
    )


def _make(document: dict[str, Any], expires: int, now: int) -> Policy:
    kind = document["Type"]
    if kind == EXPIRATION:
        due = expires
    elif kind == _BEFORE_EXPIRATION:
        due = max(0, expires - _parse_duration(document, "Before"))
    else:
        due = _get_no_change_due(document, now)
    return Policy(kind, msgspec.json.encode(document).decode(), due)


def _get_no_change_due(document: dict[str, Any], now: int) -> int:
    return now + _parse_duration(document, "After")


def _get_type(document: dict[str, Any]) -> str:
    kind = document.get("Type")
    if kind not in (EXPIRATION, _BEFORE_EXPIRATION, _NO_CHANGE):
        raise AwsError(
            "InvalidPolicyTypeException",
            "The policy type isn't supported. Parameter Store supports the following policy types: Expiration, "
            "ExpirationNotification, and NoChangeNotification.",
        )
    if document.get("Version") != "1.0":
        raise _InvalidAttribute("Version")
    if not isinstance(document.get("Attributes"), dict):
        raise _InvalidAttribute("Attributes")
    return str(kind)


def _parse_timestamp(document: dict[str, Any], now: float) -> int:
    """Return when an Expiration policy acts, in milliseconds since the epoch."""
    try:
        moment = datetime.fromisoformat(document["Attributes"]["Timestamp"])
    except (KeyError, TypeError, ValueError):
        raise _InvalidAttribute("Timestamp") from None
    if moment.tzinfo is None or moment.timestamp() <= now:
        raise _InvalidAttribute("Timestamp")
    return int(moment.timestamp() * 1000)


def _parse_duration(document: dict[str, Any], name: str) -> int:
    """Return the milliseconds that an attribute means, together with the unit."""
    attributes = document["Attributes"]
    amount, unit = attributes.get(name), attributes.get("Unit")
    if not isinstance(amount, str) or not amount.isdecimal() or not 0 < len(amount) <= _MAX_AMOUNT_DIGITS:
        raise _InvalidAttribute(name)
    if unit not in _UNIT_MILLISECONDS or not int(amount):
        raise _InvalidAttribute("Unit" if int(amount) else name)
    return int(amount) * _UNIT_MILLISECONDS[unit]


class _InvalidAttribute(AwsError):
    """An attribute of a policy that is missing or wrong."""

    def __init__(self, name: str) -> None:
        super().__init__("InvalidPolicyAttributeException", f"A policy attribute or its value is invalid: {name}.")


class _Incompatible(AwsError):
    """Policies that cannot be together."""

    def __init__(self, reason: str) -> None:
        message = f"There is a conflict in the policies specified for this parameter. {reason}"
        super().__init__("IncompatiblePolicyException", message)
