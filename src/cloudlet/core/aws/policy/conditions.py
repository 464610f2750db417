"""The ``Condition`` element: every operator, quantifier and edge case of it.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators", "Single-valued vs. multivalued
context keys" and, for empty lists and null values, "IAM Access Analyzer policy check reference".

A condition is compiled once into a *test*: does one value of the request match any of the policy's values?
Negation, quantifiers, ``…IfExists`` and missing keys are the same for all operators and are decided in
`Condition.holds` alone.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum

from cloudlet.core.aws.policy.error import PolicyError
from cloudlet.core.aws.policy.match import Matcher, compile_arn, compile_glob
from cloudlet.core.aws.policy.variables import (
    Context,
    Resolved,
    Template,
    literal,
    missing_variables,
    resolve,
    resolve_text,
    tokenize,
    without_variables,
)

Test = Callable[[str, Context], bool]
"""Whether one value of the request matches at least one value of the policy."""


class Quantifier(Enum):
    """How the many values of a multivalued key are put together."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of a condition block: an operator, a condition key and the values it may have.

    ``operator`` and ``key`` are as written; ``variables`` tells whether the policy's version knows
    variables. Raises `PolicyError` for an unknown operator or a value the operator cannot compare.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    variables: bool = True
    _quantifier: Quantifier = field(init=False, compare=False, repr=False)
    _negated: bool = field(init=False, compare=False, repr=False)
    _if_exists: bool = field(init=False, compare=False, repr=False)
    _name: str = field(init=False, compare=False, repr=False)
    _test: Test | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        quantifier, if_exists, compiler, negated = _parse_operator(self.operator)
        test = compiler(self.values, self.variables) if compiler is not None else None
        if test is None and not all(value.lower() in ("true", "false") for value in self.values):
            raise PolicyError("The Null operator takes true or false")
        object.__setattr__(self, "_quantifier", quantifier)
        object.__setattr__(self, "_negated", negated)
        object.__setattr__(self, "_if_exists", if_exists)
        object.__setattr__(self, "_name", self.key.lower())
        object.__setattr__(self, "_test", test)

    def holds(self, context: Context) -> bool:
        """Whether the condition is true of a request with these condition keys."""
        found = context.get(self._name, ())
        values: Sequence[str] = (found,) if isinstance(found, str) else found
        test = self._test
        if test is None:
            return self._is_null(values)
        if self._quantifier is not Quantifier.NONE and not any(values):
            # "A null data set, such as an empty string" counts as no value at all for the quantifiers.
            values = ()
        if not values:
            if self._if_exists or self._quantifier is Quantifier.ALL:
                return True
            return self._negated and self._quantifier is Quantifier.NONE
        if self._quantifier is Quantifier.ALL:
            return all(test(value, context) is not self._negated for value in values)
        if self._quantifier is Quantifier.ANY:
            return any(test(value, context) is not self._negated for value in values)
        for value in values:
            if test(value, context):
                return not self._negated
        return self._negated

    def _is_null(self, values: Sequence[str]) -> bool:
        """``Null``: true asks for a key that is absent or empty, false for one that is there.

        With a quantifier it "always returns" true (ForAllValues) or false (ForAnyValue), whatever is asked.
        """
        if self._quantifier is not Quantifier.NONE:
            return self._quantifier is Quantifier.ALL
        asked = "false" if any(values) else "true"
        return any(value.lower() == asked for value in self.values)

    def found(self, context: Context) -> str | Sequence[str] | None:
        """What the request has under the condition's key; None where it does not have the key."""
        return context.get(self._name)

    def missing_variables(self, context: Context) -> tuple[str, ...]:
        """The variables in the condition's values that have no value in this request."""
        if not self.variables:
            return ()
        templates = (tokenize(value, wildcards=False, variables=True) for value in self.values)
        return tuple(key for template in templates for key in missing_variables(template, context))


# --- Compilers: from the policy's values to a test ----------------------------------------------------


def _string_equals(values: Sequence[str], variables: bool) -> Test:
    return _equal_text(values, variables, lambda text: text)


def _string_equals_ignoring_case(values: Sequence[str], variables: bool) -> Test:
    return _equal_text(values, variables, str.casefold)


def _equal_text(values: Sequence[str], variables: bool, normalise: Callable[[str], str]) -> Test:
    texts: set[str] = set()
    dynamic: list[Template] = []
    for value in values:
        template = tokenize(value, wildcards=False, variables=variables)
        static = without_variables(template)
        if static is None:
            dynamic.append(template)
        else:
            texts.add(normalise(literal(static) or ""))

    def test(value: str, context: Context) -> bool:
        value = normalise(value)
        if value in texts:
            return True
        for template in dynamic:
            text = resolve_text(template, context)
            if text is not None and normalise(text) == value:
                return True
        return False

    return test


def _string_like(values: Sequence[str], variables: bool) -> Test:
    return _fits_pattern(values, variables, compile_glob)


def _arn_like(values: Sequence[str], variables: bool) -> Test:
    return _fits_pattern(values, variables, compile_arn)


def _fits_pattern(values: Sequence[str], variables: bool, compiler: Callable[[Resolved], Matcher]) -> Test:
    static: list[Matcher] = []
    dynamic: list[Template] = []
    for value in values:
        template = tokenize(value, wildcards=True, variables=variables)
        pattern = without_variables(template)
        if pattern is None:
            dynamic.append(template)
        else:
            static.append(compiler(pattern))

    def test(value: str, context: Context) -> bool:
        for fits in static:
            if fits(value):
                return True
        for template in dynamic:
            pattern = resolve(template, context)
            if pattern is not None and compiler(pattern)(value):
                return True
        return False

    return test


def _bool(values: Sequence[str], variables: bool) -> Test:
    for value in values:
        if value.lower() not in ("true", "false") and not (variables and "${" in value):
            raise PolicyError(f"{_shown(value)} is not a Boolean, true or false")
    return _equal_text(values, variables, str.lower)


def _binary_equals(values: Sequence[str], variables: bool) -> Test:
    """Both sides are base64, for a condition key is text; they are compared decoded."""
    wanted = {_decoded(value) for value in values}
    if None in wanted:
        raise PolicyError("The value is not base64-encoded")
    return lambda value, context: _decoded(value) in wanted


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def _ip_address(values: Sequence[str], variables: bool) -> Test:
    networks: list[tuple[int, int, int]] = []
    for value in values:
        try:
            if not _CIDR.fullmatch(value):
                raise ValueError(value)
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise PolicyError(f"{_shown(value)} is not an IP address or range in CIDR format") from None
        networks.append((network.version, int(network.netmask), int(network.network_address)))

    def test(value: str, context: Context) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        version, number = address.version, int(address)
        return any(each == version and number & mask == network for each, mask, network in networks)

    return test


_CIDR = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")


def _ordered(
    kind: str, parse: Callable[[str], Decimal | None], compare: Callable[[Decimal, Decimal], bool]
) -> Callable[[Sequence[str], bool], Test]:
    def compiler(values: Sequence[str], variables: bool) -> Test:
        bounds: list[Decimal] = []
        for value in values:
            bound = parse(value)
            if bound is None:
                raise PolicyError(f"{_shown(value)} is not a {kind}")
            bounds.append(bound)

        def test(value: str, context: Context) -> bool:
            number = parse(value)
            return number is not None and any(compare(number, bound) for bound in bounds)

        return test

    return compiler


_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def _number(text: str) -> Decimal | None:
    """An integer or decimal number; neither NaN nor infinity is one."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(?:Z|([+-])([0-9]{2}):([0-9]{2})))?)?)?"
)


def _instant(text: str) -> Decimal | None:
    """Seconds since 1970 for a date of the W3C's note on ISO 8601, or for epoch time itself.

    Four digits are a year: as epoch time they would be a moment of 1 January 1970.
    """
    parts = _DATE.fullmatch(text)
    if parts is None:
        return _number(text)
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = parts.groups()
    try:
        # The zone is subtracted by hand below, so that the first and the last year need no care.
        moment = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return None
    seconds = Decimal(calendar.timegm(moment.timetuple())) + Decimal(f"0.{fraction or 0}")
    if sign is None:
        return seconds
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    return seconds - offset if sign == "+" else seconds + offset


def _shown(value: str) -> str:
    return repr(value if len(value) <= 100 else value[:97] + "...")


# --- Operators ----------------------------------------------------------------------------------------

_Compiler = Callable[[Sequence[str], bool], Test]

_OPERATORS: dict[str, tuple[_Compiler | None, bool]] = {
    "stringequals": (_string_equals, False),
    "stringnotequals": (_string_equals, True),
    "stringequalsignorecase": (_string_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_string_equals_ignoring_case, True),
    "stringlike": (_string_like, False),
    "stringnotlike": (_string_like, True),
    "bool": (_bool, False),
    "binaryequals": (_binary_equals, False),
    "ipaddress": (_ip_address, False),
    "notipaddress": (_ip_address, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
    "null": (None, False),
}
"""The compiler of each operator, and whether it is negated. ``Null`` looks at no value and has none."""

for _family, _kind, _parse in (("numeric", "number", _number), ("date", "date", _instant)):
    for _suffix, _compare, _is_negated in (
        ("equals", operator.eq, False),
        ("notequals", operator.eq, True),
        ("lessthan", operator.lt, False),
        ("lessthanequals", operator.le, False),
        ("greaterthan", operator.gt, False),
        ("greaterthanequals", operator.ge, False),
    ):
        _OPERATORS[_family + _suffix] = (_ordered(_kind, _parse, _compare), _is_negated)


def _parse_operator(written: str) -> tuple[Quantifier, bool, _Compiler | None, bool]:
    """Take ``ForAnyValue:StringLikeIfExists`` apart. The case of letters does not count."""
    prefix, colon, name = written.rpartition(":")
    name = name.lower()
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    quantifier = _QUANTIFIERS.get(prefix.lower()) if colon else Quantifier.NONE
    if quantifier is None or name not in _OPERATORS:
        raise PolicyError(f"The condition operator {_shown(written)} is not valid")
    if name == "null" and if_exists:
        raise PolicyError("The Null condition operator cannot be used with the IfExists suffix")
    return quantifier, if_exists, *_OPERATORS[name]


_QUANTIFIERS = {"forallvalues": Quantifier.ALL, "foranyvalue": Quantifier.ANY}
