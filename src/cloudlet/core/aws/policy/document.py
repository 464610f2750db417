"""Policy documents: from JSON text to `Policy`, or a `PolicyError` that says what is wrong and where.

Sources: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy elements reference".
Messages are IAM's own where those are known.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from cloudlet.core.aws.policy.conditions import Condition
from cloudlet.core.aws.policy.error import PolicyError, located
from cloudlet.core.aws.policy.match import ActionSet, ResourceSet
from cloudlet.core.aws.policy.principals import PrincipalSet, canonical_name
from cloudlet.core.aws.policy.variables import Context, tokenize


class Effect(Enum):
    """What a statement does to the requests it is about."""

    ALLOW = "Allow"
    DENY = "Deny"


class Usage(Enum):
    """What a document is to be attached to, which decides the elements it must and must not have."""

    ANY = "any"
    """Whatever the grammar allows: a ``Principal`` or none, a ``Resource`` or, beside a ``Principal``, none."""
    IDENTITY = "identity"
    """A user's, group's or role's policy, a permissions boundary, a session policy, an SCP: no principal."""
    RESOURCE = "resource"
    """A policy on a resource: a principal; the resource may be left out."""
    TRUST = "trust"
    """A role's trust policy: a principal, no resource."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy.

    ``sid`` is empty where there is none. ``principals`` is None where the statement has neither
    ``Principal`` nor ``NotPrincipal``, ``resources`` where it has neither ``Resource`` nor ``NotResource``
    and so is about whatever its policy is attached to. All ``conditions`` must hold.
    """

    sid: str
    effect: Effect
    principals: PrincipalSet | None
    actions: ActionSet
    resources: ResourceSet | None
    conditions: tuple[Condition, ...]

    def is_about(self, action: str, resource: str, context: Context) -> bool:
        """Whether the statement speaks of this request, whoever makes it; ``action`` is in lower case."""
        if not self.actions.covers(action):
            return False
        if self.resources is not None and not self.resources.covers(resource, context):
            return False
        for condition in self.conditions:  # noqa: SIM110 - a generator would take longer than the loop
            if not condition.holds(context):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document that is known to be well-formed. It cannot change and may be cached by its text."""

    version: str
    id: str
    statements: tuple[Statement, ...]
    usage: Usage = Usage.ANY

    @classmethod
    def parse(cls, text: str, usage: Usage = Usage.ANY) -> Policy:
        """Parse and validate a JSON document. Raises `PolicyError`, and nothing else, for any other text.

        The size of a document is not looked at: each service has its own limit.
        """
        document = _members(_load(text), "")
        _only(document, ("Version", "Id", "Statement"), "")
        version = document.get("Version", "2008-10-17")
        if version not in ("2008-10-17", "2012-10-17"):
            raise PolicyError("The policy must contain a valid version string", "Version")
        if usage is Usage.IDENTITY and "Id" in document:
            raise PolicyError("Has prohibited field Id", "Id")
        policy_id = _text(document.get("Id", ""), "Id")
        if "Statement" not in document:
            raise PolicyError("Missing required field Statement")
        written = document["Statement"]
        if isinstance(written, list):
            if not written:
                raise PolicyError("Statement is empty", "Statement")
            located = [(each, f"Statement[{index}]") for index, each in enumerate(written)]
        else:
            located = [(written, "Statement")]
        statements = tuple(_statement(each, where, version, usage) for each, where in located)
        if usage in (Usage.IDENTITY, Usage.TRUST):
            _check_sids(statements)
        return cls(version, policy_id, statements, usage)


def _check_sids(statements: tuple[Statement, ...]) -> None:
    """IAM's own rules; other services have theirs (section "IAM JSON policy elements: Sid")."""
    seen: set[str] = set()
    for index, statement in enumerate(statements):
        where = f"Statement[{index}].Sid"
        if not re.fullmatch(r"[0-9A-Za-z]*", statement.sid):
            raise PolicyError(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
                "expression [0-9A-Za-z]*",
                where,
            )
        if statement.sid and statement.sid in seen:
            raise PolicyError("Statement IDs (SID) in a single policy must be unique.", where)
        seen.add(statement.sid)


# --- Elements of a statement --------------------------------------------------------------------------

_LONGEST_NUMBER = 400
_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)


def _statement(written: object, where: str, version: str, usage: Usage) -> Statement:
    statement = _members(written, where)
    _only(statement, _ELEMENTS, where)
    variables = version == "2012-10-17"
    if "Effect" not in statement:
        raise PolicyError("Missing required field Effect", where)
    effect = statement["Effect"]
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"Invalid effect: {_shown(effect)}; use Allow or Deny", f"{where}.Effect")
    return Statement(
        sid=_text(statement.get("Sid", ""), f"{where}.Sid"),
        effect=Effect(effect),
        principals=_principals(statement, where, usage),
        actions=_actions(statement, where),
        resources=_resources(statement, where, usage, variables),
        conditions=_conditions(statement.get("Condition", _Object()), f"{where}.Condition", variables),
    )


def _either(statement: _Object, name: str, where: str) -> str | None:
    """Which of ``name`` and ``Notname`` the statement has."""
    opposite = f"Not{name}"
    if name in statement and opposite in statement:
        raise PolicyError(f"{name} and {opposite} can not be used in the same statement", where)
    return name if name in statement else opposite if opposite in statement else None


def _principals(statement: _Object, where: str, usage: Usage) -> PrincipalSet | None:
    element = _either(statement, "Principal", where)
    if element is None:
        if usage in (Usage.RESOURCE, Usage.TRUST):
            raise PolicyError("Missing required field Principal", where)
        return None
    where = f"{where}.{element}"
    if usage is Usage.IDENTITY:
        raise PolicyError("Policy document should not specify a principal.", where)
    if usage is Usage.TRUST and element == "NotPrincipal":
        raise PolicyError("Has prohibited field NotPrincipal", where)
    written = statement[element]
    if written == "*":
        return PrincipalSet((("AWS", "*"),), element == "NotPrincipal")
    if isinstance(written, str):
        raise PolicyError('Invalid principal: use "*" or a map such as {"AWS": "111122223333"}', where)
    pairs: list[tuple[str, str]] = []
    for kind, names in _members(written, where).items():
        for name, place in _texts(names, f"{where}.{kind}"):
            with located(place):
                canonical_name(kind, name)
            pairs.append((kind, name))
    if not pairs:
        raise PolicyError("The principal is empty", where)
    return PrincipalSet(tuple(pairs), element == "NotPrincipal")


def _actions(statement: _Object, where: str) -> ActionSet:
    element = _either(statement, "Action", where)
    if element is None:
        raise PolicyError("Policy statement must contain actions.", where)
    actions: list[str] = []
    for action, place in _texts(statement[element], f"{where}.{element}"):
        vendor, colon, name = action.partition(":")
        if action != "*" and not (colon and vendor and name):
            message = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            raise PolicyError(message, place)
        if ":" in name:
            raise PolicyError("Actions/Condition can contain only one colon.", place)
        if action != "*" and vendor != "*" and not re.fullmatch(r"[A-Za-z0-9-]+", vendor):
            raise PolicyError(f"Vendor {vendor[:100]} is not valid", place)
        actions.append(action)
    if not actions:
        raise PolicyError("Policy statement must contain actions.", f"{where}.{element}")
    return ActionSet(tuple(actions), element == "NotAction")


def _resources(statement: _Object, where: str, usage: Usage, variables: bool) -> ResourceSet | None:
    element = _either(statement, "Resource", where)
    if element is None:
        may_lack = usage in (Usage.RESOURCE, Usage.TRUST) or (
            usage is Usage.ANY and ("Principal" in statement or "NotPrincipal" in statement)
        )
        if not may_lack:
            raise PolicyError("Policy statement must contain resources.", where)
        return None
    where = f"{where}.{element}"
    if usage is Usage.TRUST:
        raise PolicyError(f"Has prohibited field {element}", where)
    resources: list[str] = []
    for resource, place in _texts(statement[element], where):
        if usage is Usage.IDENTITY and not _is_arn_pattern(resource):
            raise PolicyError(f'Resource {resource[:100]} must be in ARN format or "*".', place)
        with located(place):
            tokenize(resource, wildcards=True, variables=variables)
        resources.append(resource)
    if not resources:
        raise PolicyError("Policy statement must contain resources.", where)
    return ResourceSet(tuple(resources), element == "NotResource", variables)


def _is_arn_pattern(resource: str) -> bool:
    """``*``, six components that begin with ``arn``, or fewer of which the last has a star at its end."""
    if resource == "*":
        return True
    return resource.startswith("arn:") and (resource.count(":") >= 5 or resource.endswith("*"))


def _conditions(written: object, where: str, variables: bool) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    for operator, block in _members(written, where).items():
        place = f"{where}.{operator}"
        seen: set[str] = set()
        for key, values in _members(block, place).items():
            line = f"{place}.{key}"
            if ":" not in key:
                raise PolicyError("The condition key format is not valid. Use the format service:keyname", line)
            if key.lower() in seen:
                raise PolicyError("The condition key appears more than once in the same condition block", line)
            seen.add(key.lower())
            texts = tuple(_condition_value(value, line) for value in _as_list(values))
            with located(line):
                conditions.append(Condition(operator, key, texts, variables))
    return tuple(conditions)


def _condition_value(value: object, where: str) -> str:
    """Quotation marks are optional for numbers and Booleans (section "The policy language and JSON")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    raise PolicyError(f"{_shown(value)} is not a string, number or Boolean", where)


# --- JSON ---------------------------------------------------------------------------------------------


class _Object(dict[str, object]):
    """A JSON object that remembers a member it was given twice."""

    repeated: str | None = None


class _Number(str):
    """A JSON number as it is written: a string where a number may stand for one, and no string elsewhere."""


def _number(text: str) -> _Number:
    if len(text) > _LONGEST_NUMBER:
        raise PolicyError(f"Syntax errors in policy: a number of {len(text)} characters")
    return _Number(text)


def _object(pairs: list[tuple[str, object]]) -> _Object:
    members = _Object(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        members.repeated = next(name for name, count in counts.items() if count > 1)
    return members


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _load(text: str) -> object:
    try:
        # Imported late: a start does without it.
        import json

        return json.loads(
            text, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_not_json
        )
    except RecursionError:
        raise PolicyError("Syntax errors in policy: it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise PolicyError(f"Syntax errors in policy: {error}") from None


def _members(value: object, where: str) -> _Object:
    if not isinstance(value, _Object):
        raise PolicyError(f"Syntax errors in policy: expected an object, not {_shown(value)}", where)
    if value.repeated is not None:
        raise PolicyError(f"The element {_shown(value.repeated)} appears more than once", where)
    return value


def _only(members: _Object, allowed: tuple[str, ...], where: str) -> None:
    for name in members:
        if name not in allowed:
            raise PolicyError(f"The policy element {_shown(name)} is not valid", where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise PolicyError(f"Syntax errors in policy: expected a string, not {_shown(value)}", where)
    return value


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _texts(value: object, where: str) -> list[tuple[str, str]]:
    """The strings of a string or a list of strings, each with its place."""
    if not isinstance(value, list):
        return [(_text(value, where), where)]
    places = [f"{where}[{index}]" for index in range(len(value))]
    return [(_text(each, place), place) for each, place in zip(value, places, strict=True)]


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    return value if isinstance(value, _Number) else repr(value)[:100]
