"""Encoded authorization messages: the reasons of a denial, for those who may decode them.

AWS STS API Reference, "DecodeAuthorizationMessage". Messages are encrypted, and no account can decode another's.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from typing import Any, Final

from cloudlet.core.aws.policy import Condition, Decision, Reason, StatementRef
from cloudlet.core.kernel.vault import UnreadableSecret, Vault

MAX_MESSAGE_CHARACTERS: Final = 10_240
"""Of an encoded message, as the model has it."""


class InvalidMessage(ValueError):
    """A text that is no encoded message of this account."""


def encode_message(vault: Vault, account: str, decision: Decision) -> str:
    """Return a decision about a request of an account as an opaque text.

    Of one that is too long the statements that decided are left out.
    """
    details = _describe(decision)
    text = _seal(vault, account, details)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = _seal(vault, account, {**details, "matchedStatements": _wrap_items(())})
    return text


def decode_message(vault: Vault, account: str, text: str) -> str:
    """Return what an encoded message says, as JSON. Raises InvalidMessage."""
    try:
        sealed = base64.b64decode(text, b"-_", validate=True)
        return zlib.decompress(vault.decrypt(sealed, _get_place(account))).decode()
    except (binascii.Error, ValueError, UnreadableSecret) as error:
        raise InvalidMessage("the message cannot be decoded") from error


def _seal(vault: Vault, account: str, details: dict[str, Any]) -> str:
    packed = zlib.compress(json.dumps(details, separators=(",", ":")).encode(), 9)
    return base64.urlsafe_b64encode(vault.encrypt(packed, _get_place(account))).decode()


def _get_place(account: str) -> str:
    return f"authorization messages of {account}"


def _describe(decision: Decision) -> dict[str, Any]:
    """Return a decision as AWS's decoded messages have it."""
    request = decision.request
    return {
        "allowed": decision.allowed,
        "explicitDeny": decision.reason is Reason.EXPLICIT_DENY,
        "matchedStatements": _wrap_items(_describe_statement(each) for each in decision.statements),
        "failures": _wrap_items(()),
        "context": {
            "principal": {"id": getattr(request.principal, "user_id", ""), "arn": request.principal.arn},
            "action": request.action,
            "resource": request.resource,
            "conditions": _wrap_items(_describe_key(key, value) for key, value in sorted(request.context.items())),
        },
    }


def _describe_statement(reference: StatementRef) -> dict[str, Any]:
    statement = reference.statement
    principals = statement.principals.written if statement.principals is not None else ()
    resources = statement.resources.written if statement.resources is not None else ()
    return {
        "statementId": statement.sid,
        "effect": statement.effect.value.upper(),
        "principals": _list_values(name for _, name in principals),
        "principalGroups": _wrap_items(()),
        "actions": _list_values(statement.actions.written),
        "resources": _list_values(resources),
        "conditions": _wrap_items(_describe_condition(each) for each in statement.conditions),
    }


def _describe_condition(condition: Condition) -> dict[str, Any]:
    return {"key": condition.key, "operator": condition.operator, "values": _list_values(condition.values)}


def _describe_key(key: str, value: str | Iterable[str]) -> dict[str, Any]:
    return {"key": key, "values": _list_values((value,) if isinstance(value, str) else value)}


def _list_values(values: Iterable[str]) -> dict[str, Any]:
    return _wrap_items({"value": value} for value in values)


def _wrap_items(items: Iterable[Any]) -> dict[str, Any]:
    return {"items": list(items)}
