"""Policy variables: ``${aws:username}`` in resources and condition values.

Source: IAM User Guide, "IAM policy elements: Variables and tags".

A text of a policy is cut once, when the policy is parsed, into a *template* of literals, wildcards and
variables. A request then resolves the variables. What a variable resolves to is always literal text: a
user who is named ``*`` gains nothing by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from cloudlet.core.aws.policy.error import PolicyError

Context = Mapping[str, str | Sequence[str]]
"""A request's condition keys, in lower case: a string is a single-valued key, a sequence a multivalued one."""


class Wildcard(Enum):
    """A wildcard of the policy language."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``; ``key`` is in lower case, for key names ignore case."""

    key: str
    default: str | None = None


Template = tuple[str | Wildcard | Variable, ...]
Resolved = tuple[str | Wildcard, ...]

_VARIABLE = re.compile(r"([^\s,']+)(?:,\s*'([^']*)')?")


def tokenize(text: str, *, wildcards: bool, variables: bool) -> Template:
    """Cut ``text`` into a template.

    ``wildcards``: whether ``*`` and ``?`` are wildcards here or ordinary characters. ``variables``: whether
    the policy's version knows variables (2012-10-17 does); before it ``${…}`` is ordinary text.

    Raises `PolicyError` for a variable that is not well-formed, as IAM Access Analyzer's checks do.
    """
    tokens: list[str | Wildcard | Variable] = []
    position = 0
    while variables and (start := text.find("${", position)) >= 0:
        end = text.find("}", start)
        if end < 0:
            raise PolicyError("The policy variable is missing a closing curly brace")
        _add_text(tokens, text[position:start], wildcards)
        body = text[start + 2 : end]
        if body in ("*", "?", "$"):
            _add_text(tokens, body, False)
        else:
            tokens.append(_variable(body))
        position = end + 1
    _add_text(tokens, text[position:], wildcards)
    return tuple(tokens)


def _variable(body: str) -> Variable:
    if not body:
        raise PolicyError("Empty policy variable")
    well_formed = _VARIABLE.fullmatch(body)
    if well_formed is None:
        if "," in body:
            raise PolicyError(f"The default value of ${{{body}}} must begin and end with a single quote")
        raise PolicyError(f"A space or quote is not supported within the policy variable ${{{body}}}")
    return Variable(well_formed[1].lower(), well_formed[2])


def _add_text(tokens: list[str | Wildcard | Variable], text: str, wildcards: bool) -> None:
    """Append ``text``, joining literals that touch so that a template has one form only."""
    for piece in re.split(r"([*?])", text) if wildcards else (text,):
        if wildcards and piece in ("*", "?"):
            tokens.append(Wildcard(piece))
        elif piece and tokens and isinstance(tokens[-1], str):
            tokens[-1] += piece
        elif piece:
            tokens.append(piece)


def resolve(template: Template, context: Context) -> Resolved | None:
    """Put the request's values in the variables' places.

    None when a variable has no value: it is then "effectively null" and there is "no equal or like value"
    (section "Policy variables with no value"). A multivalued key cannot be a variable, so it has no value.
    """
    resolved: list[str | Wildcard] = []
    for token in template:
        if isinstance(token, Variable):
            value = context.get(token.key, token.default)
            if not isinstance(value, str):
                return None
            resolved.append(value)
        else:
            resolved.append(token)
    return tuple(resolved)


def resolve_text(template: Template, context: Context) -> str | None:
    """`resolve` for a template without wildcards: the text itself."""
    resolved = resolve(template, context)
    return None if resolved is None else literal(resolved)


def without_variables(template: Template) -> Resolved | None:
    """The template itself where it means the same in every request; None where it has variables."""
    resolved = tuple(token for token in template if not isinstance(token, Variable))
    return resolved if len(resolved) == len(template) else None


def literal(resolved: Resolved) -> str | None:
    """The text of a template in which nothing is wild; None where something is."""
    text = "".join(token for token in resolved if isinstance(token, str))
    return None if any(isinstance(token, Wildcard) for token in resolved) else text


def missing_variables(template: Template, context: Context) -> tuple[str, ...]:
    """The keys of the variables that keep the template from being resolved in this request."""
    return tuple(
        token.key
        for token in template
        if isinstance(token, Variable) and not isinstance(context.get(token.key, token.default), str)
    )
