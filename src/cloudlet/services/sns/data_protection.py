"""A topic's data protection policy: checked and kept, and shown again. Nothing audits, masks or denies by it.

Developer Guide, "Understanding data protection policies" and "Data protection policy operations".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError, Transaction
from cloudlet.services.sns import errors, limits
from cloudlet.services.sns.topic_record import Topic

_VERSION = "2021-06-01"
_NAME_CHARACTERS = 80
_MEMBERS = ("Name", "Description", "Version", "Statement", "Configuration")
_STATEMENT_MEMBERS = ("Sid", "DataDirection", "DataIdentifier", "Principal", "NoPrincipal", "Operation")
_DIRECTIONS = ("Inbound", "Outbound")
_OPERATIONS = ("Audit", "Deidentify", "Deny")
_AUDIT_MEMBERS = ("SampleRate", "FindingsDestination", "NoFindingsDestination")
_MOST_SAMPLED = 99
_MASKING = ("MaskConfig", "RedactConfig")


async def of_topic(tx: Transaction, topic: Topic) -> str:
    """Return a topic's policy as it was given, or nothing."""
    raw = await tx.get(_key(topic))
    return "" if raw is None else raw.decode()


def store(tx: Transaction, topic: Topic, policy: str) -> None:
    """Keep a policy that was `checked`; an empty one removes that of the topic."""
    if policy:
        tx.put(_key(topic), policy.encode())
    else:
        tx.delete(_key(topic))


def checked(policy: str, *, fifo: bool) -> str:
    """Return a policy as it is kept. Raises AwsError for what AWS does not admit."""
    if policy == "":
        return policy
    if fifo:
        raise _invalid("Data protection policies are supported on standard topics only.")
    if len(policy) > limits.DATA_PROTECTION_POLICY_CHARACTERS:
        raise _invalid(f"The policy is longer than {limits.DATA_PROTECTION_POLICY_CHARACTERS} characters.")
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        raise _invalid("failed to parse JSON.") from None
    document = _object(document, "The policy", _MEMBERS)
    name = document.get("Name")
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_CHARACTERS:
        raise _invalid(f"Name must be a string of 1 to {_NAME_CHARACTERS} characters.")
    if document.get("Version") != _VERSION:
        raise _invalid(f"Version must be {_VERSION}.")
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise _invalid("Statement must be a list of one statement or more.")
    if sum(_check_statement(statement) == "Audit" for statement in statements) > 1:
        raise _invalid("A policy can have one statement with the operation Audit only.")
    return policy


def _check_statement(statement: Any) -> str:
    """Return the operation of a statement. Raises AwsError for what is none."""
    members = _object(statement, "A statement", _STATEMENT_MEMBERS)
    direction = members.get("DataDirection")
    if direction not in _DIRECTIONS:
        raise _invalid(f"DataDirection must be one of {', '.join(_DIRECTIONS)}.")
    _check_texts(members, "DataIdentifier")
    if ("Principal" in members) == ("NoPrincipal" in members):
        raise _invalid("A statement must have either Principal or NoPrincipal.")
    _check_texts(members, "Principal" if "Principal" in members else "NoPrincipal")
    operation = _object(members.get("Operation"), "Operation", _OPERATIONS)
    if len(operation) != 1:
        raise _invalid(f"Operation must have one of {', '.join(_OPERATIONS)}.")
    (kind,) = operation
    if kind == "Audit":
        _check_audit(operation[kind], direction)
    elif kind == "Deidentify":
        if len(_object(operation[kind], "Deidentify", _MASKING)) != 1:
            raise _invalid(f"Deidentify must have one of {', '.join(_MASKING)}.")
    else:
        _object(operation[kind], "Deny", ())
    return kind


def _check_audit(value: Any, direction: str) -> None:
    audit = _object(value, "Audit", _AUDIT_MEMBERS)
    if direction != "Inbound":
        raise _invalid("Audit is for the DataDirection Inbound only.")
    rate = str(audit.get("SampleRate", ""))
    if not (rate.isascii() and rate.isdecimal() and len(rate) < 3 and int(rate) <= _MOST_SAMPLED):
        raise _invalid(f"SampleRate must be a number between 0 and {_MOST_SAMPLED}.")
    if len(audit) < 2:
        raise _invalid("Audit must have a FindingsDestination or a NoFindingsDestination.")


def _check_texts(members: Mapping[str, Any], name: str) -> None:
    texts = members.get(name)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise _invalid(f"{name} must be a list of one string or more.")


def _object(value: Any, what: str, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"{what} must be a JSON object.")
    for member in value:
        if member not in known:
            raise _invalid(f"{what} has an unknown member {member}.")
    return value


def _invalid(reason: str) -> AwsError:
    return errors.invalid_parameter("DataProtectionPolicy", reason)


def _key(topic: Topic) -> bytes:
    return topic.all.key("data-protection")
