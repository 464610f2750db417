"""Wildcard matching of actions, resources and strings.

Source: IAM User Guide, "IAM JSON policy elements: Action" and "… Resource" (section "Using wildcards in
resource ARNs").

Patterns are written by users, so no matcher here may backtrack: without ``?`` a pattern is searched for
chunk by chunk, left to right, which finds a match if there is one; with ``?`` all positions of the pattern
are advanced together, one bit each, one step a character of the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cloudlet.core.aws.policy.variables import (
    Context,
    Resolved,
    Template,
    Variable,
    Wildcard,
    literal,
    missing_variables,
    resolve,
    tokenize,
    without_variables,
)

Matcher = Callable[[str], bool]

_ARN_COLONS = 5


def _always(text: str) -> bool:
    return True


def compile_glob(pattern: Resolved) -> Matcher:
    """A function that tells whether a whole text fits the pattern; the case of letters counts."""
    if pattern and all(token is Wildcard.ANY for token in pattern):
        return _always
    if Wildcard.ONE in pattern:
        return _in_parallel(pattern)
    chunks = [""]
    for token in pattern:
        if isinstance(token, str):
            chunks[-1] += token
        else:
            chunks.append("")
    if len(chunks) == 1:
        return chunks[0].__eq__
    return _in_chunks(chunks[0], tuple(filter(None, chunks[1:-1])), chunks[-1])


def _in_chunks(head: str, middle: tuple[str, ...], tail: str) -> Matcher:
    """Match ``head*middle*…*tail``."""
    if not middle and not tail:
        return lambda text: text.startswith(head)
    around = len(head) + len(tail)

    def matches(text: str) -> bool:
        if len(text) < around or not text.startswith(head) or not text.endswith(tail):
            return False
        position = len(head)
        end = len(text) - len(tail)
        for chunk in middle:
            position = text.find(chunk, position, end)
            if position < 0:
                return False
            position += len(chunk)
        return True

    return matches


def _in_parallel(pattern: Resolved) -> Matcher:
    """Match by running the pattern as an automaton whose set of states is an integer.

    State *i* means that the first *i* characters of the pattern (stars not counted) have been matched; a
    star before character *i* lets state *i* stay where it is.
    """
    length = 0
    stays = 0
    takes_any = 0
    takes: dict[str, int] = {}
    for token in pattern:
        if token is Wildcard.ANY:
            stays |= 1 << length
        elif token is Wildcard.ONE:
            takes_any |= 1 << length
            length += 1
        else:
            for character in token:
                takes[character] = takes.get(character, 0) | 1 << length
                length += 1
    takes = {character: states | takes_any for character, states in takes.items()}
    accepting = 1 << length

    def matches(text: str) -> bool:
        states = 1
        for character in text:
            states = (states & takes.get(character, takes_any)) << 1 | states & stays
            if not states:
                return False
        return bool(states & accepting)

    return matches


def compile_arn(pattern: Resolved) -> Matcher:
    """A function that tells whether an ARN fits the pattern, component by component.

    A wildcard stays within its component, of which the sixth, the resource, is all that follows the fifth
    colon and may have colons itself. A pattern with fewer components than six covers with its last one all
    that remains: ``*`` covers everything, ``arn:aws:sqs:*`` all of SQS.
    """
    *outer, rest = _components(pattern)
    prefix = _literal_prefix(outer)
    if prefix is not None:
        text = literal(rest)
        if text is not None:
            return (prefix + text).__eq__
        fits_rest = compile_glob(rest)
        start = len(prefix)
        return (lambda arn: arn.startswith(prefix) and fits_rest(arn[start:])) if start else fits_rest
    colons = len(outer)
    fits = [compile_glob(component) for component in (*outer, rest)]

    def matches(arn: str) -> bool:
        components = arn.split(":", colons)
        if len(components) <= colons:
            return False
        return all(fit(component) for fit, component in zip(fits, components, strict=True))

    return matches


def _literal_prefix(components: list[Resolved]) -> str | None:
    """The components with the colons behind them, where nothing in them is wild."""
    texts = [literal(component) for component in components]
    return None if None in texts else "".join(f"{text}:" for text in texts)


def _components(pattern: Resolved) -> list[Resolved]:
    """Cut a pattern at its first five colons."""
    components: list[list[str | Wildcard]] = [[]]
    for token in pattern:
        if not isinstance(token, str):
            components[-1].append(token)
            continue
        first, *others = token.split(":", _ARN_COLONS + 1 - len(components))
        if first:
            components[-1].append(first)
        components.extend([piece] if piece else [] for piece in others)
    return [tuple(component) for component in components]


@dataclass(frozen=True, slots=True)
class ActionSet:
    """The ``Action`` or ``NotAction`` of a statement. Letter case does not count: ``SQS:sendmessage`` fits."""

    written: tuple[str, ...]
    negated: bool = False
    _names: frozenset[str] = field(init=False, compare=False, repr=False)
    _globs: tuple[Matcher, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        names: set[str] = set()
        globs: list[Matcher] = []
        for action in self.written:
            pattern = without_variables(tokenize(action.lower(), wildcards=True, variables=False)) or ()
            name = literal(pattern)
            if name is None:
                globs.append(compile_glob(pattern))
            else:
                names.add(name)
        object.__setattr__(self, "_names", frozenset(names))
        object.__setattr__(self, "_globs", tuple(globs))

    def covers(self, action: str) -> bool:
        """Whether the statement is about ``action``, which is given in lower case."""
        if action in self._names:
            return not self.negated
        for fits in self._globs:
            if fits(action):
                return not self.negated
        return self.negated


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """The ``Resource`` or ``NotResource`` of a statement.

    ``variables`` tells whether the policy's version knows variables. Raises `PolicyError` for a variable
    that is not well-formed.
    """

    written: tuple[str, ...]
    negated: bool = False
    variables: bool = True
    _static: tuple[Matcher, ...] = field(init=False, compare=False, repr=False)
    _dynamic: tuple[tuple[Matcher, Template], ...] = field(init=False, compare=False, repr=False)
    """Of each pattern with variables: what tests the first five components, and the resource part."""

    def __post_init__(self) -> None:
        static: list[Matcher] = []
        dynamic: list[tuple[Matcher, Template]] = []
        for text in self.written:
            template = tokenize(text, wildcards=True, variables=self.variables)
            pattern = without_variables(template)
            if pattern is not None:
                static.append(compile_arn(pattern))
            elif (parts := _cut_at_resource_part(template)) is not None:
                outer, resource_part = parts
                dynamic.append((compile_arn((*outer, Wildcard.ANY)), resource_part))
        object.__setattr__(self, "_static", tuple(static))
        object.__setattr__(self, "_dynamic", tuple(dynamic))

    def covers(self, resource: str, context: Context) -> bool:
        """Whether the statement is about ``resource``.

        A pattern with a variable that has no value "will not match any resource", under ``NotResource`` too.
        """
        for fits in self._static:
            if fits(resource):
                return not self.negated
        for fits_outer, template in self._dynamic:
            if fits_outer(resource):
                pattern = resolve(template, context)
                if pattern is not None and compile_glob(pattern)(resource.split(":", _ARN_COLONS)[-1]):
                    return not self.negated
        return self.negated

    @property
    def is_static(self) -> bool:
        """Whether no pattern has variables."""
        return not self._dynamic

    def missing_variables(self, context: Context) -> tuple[str, ...]:
        """The variables that have no value in this request."""
        return tuple(key for _, template in self._dynamic for key in missing_variables(template, context))


def _cut_at_resource_part(template: Template) -> tuple[Resolved, Template] | None:
    """Cut a pattern behind the fifth colon of its ARN; None where a variable stands before it.

    Section "Where you can use policy variables": only in the resource part. AWS stores a policy with a
    variable elsewhere, and that pattern matches nothing; so it does here.
    """
    outer: list[str | Wildcard] = []
    missing = _ARN_COLONS
    for index, token in enumerate(template):
        if isinstance(token, Variable):
            return None
        if isinstance(token, Wildcard) or token.count(":") < missing:
            outer.append(token)
            missing -= token.count(":") if isinstance(token, str) else 0
            continue
        *components, rest = token.split(":", missing)
        outer.append("".join(f"{component}:" for component in components))
        return tuple(outer), (*((rest,) if rest else ()), *template[index + 1 :])
    return None
