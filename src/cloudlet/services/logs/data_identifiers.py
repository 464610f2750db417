"""Data identifiers: how sensitive data is found in messages.

User guide, "Types of data that you can protect". Those managed identifiers are here that the guide gives a regular form
for. Some count only with a keyword close by.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from cloudlet.services.logs.patterns import PatternProblem, automaton
from cloudlet.services.logs.patterns.automaton import Automaton

_CLOSE = 30
"""Within so many characters of the data a keyword has to be."""
_SHORT_KEYWORD = 5
_CUSTOM_CHARACTERS = re.compile(r"[A-Za-z0-9_#=@/;,\- ^$?\[\]{}|\\*+.]{1,200}")


class Span(NamedTuple):
    """Where in a message something is."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Identifier:
    """One kind of sensitive data."""

    name: str
    spans: Callable[[str], Iterator[tuple[int, int]]]
    """Finds what has its form."""
    keywords: re.Pattern[str] | None = None
    check: Callable[[str], bool] | None = None

    def find(self, message: str) -> Iterator[Span]:
        """Yield where it is in a message."""
        for start, end in self.spans(message):
            is_some = start < end and (self.check is None or self.check(message[start:end]))
            if is_some and self._has_keyword(message, start, end):
                yield Span(start, end)

    def _has_keyword(self, message: str, start: int, end: int) -> bool:
        if self.keywords is None:
            return True
        before, behind = message[max(0, start - _CLOSE) : start], message[end : end + _CLOSE]
        return self.keywords.search(before) is not None or self.keywords.search(behind) is not None


def _keywords(*words: str) -> re.Pattern[str]:
    """Return what finds keywords: instead of a space there may be nothing, an underscore or a hyphen."""
    return re.compile("|".join(map(_keyword, words)), re.IGNORECASE)


def _keyword(word: str) -> str:
    text = r"[ _-]?".join(map(re.escape, word.split(" ")))
    # Within other words a short one would be found by chance.
    return rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])" if len(word) < _SHORT_KEYWORD else text


def _luhn(text: str) -> bool:
    digits = [int(one) for one in text if one.isdecimal()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_secret_key(text: str) -> bool:
    return any(one.isupper() for one in text) and any(one.islower() for one in text) and any(map(str.isdigit, text))


_VIN_VALUES = {
    letter: int(value) for letter, value in zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True)
}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _is_vehicle(text: str) -> bool:
    """Whether the ninth character checks the others (49 CFR 565)."""
    values = [int(one) if one.isdecimal() else _VIN_VALUES[one] for one in text]
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return text[8] == ("X" if rest == 10 else str(rest))


def _has_check_digits(text: str, longest_weight: int) -> bool:
    """Whether the last two digits check those before, as in Brazil's numbers."""
    digits = [int(one) for one in text if one.isdecimal()]
    for size in (len(digits) - 2, len(digits) - 1):
        weights = [2 + place % (longest_weight - 1) for place in range(size)]
        rest = sum(digit * weight for digit, weight in zip(reversed(digits[:size]), weights, strict=True)) % 11
        if digits[size] != (0 if rest < 2 else 11 - rest):
            return False
    return len(set(digits)) > 1


def _form(regex: str, flags: int = 0) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Return what finds a regular expression of ours, which takes time that grows with the text only."""
    finditer = re.compile(regex, flags).finditer
    return lambda text: (match.span() for match in finditer(text))


def _private_key(kind: str) -> Callable[[str], Iterator[tuple[int, int]]]:
    return _form(rf"-----BEGIN {kind}-----.*?(?:-----END {kind}-----|\Z)", re.DOTALL)


_EMAIL = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
_IP_ADDRESS = (
    r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
    r"|(?<![\w.:])(?=[0-9A-Fa-f.]{0,20}:[0-9A-Fa-f.]{0,20}:)[0-9A-Fa-f:.]{2,45}(?![\w:]|\.\d)"
)
_CARD = r"(?<!\d)(?:3[0-9]|[4569]\d|2[2-7]|62|35)(?:[ -]?\d){11,17}(?!\d)"
_CARD_WORDS = (
    *("account number", "american express", "amex", "bank card", "card", "card number", "card num", "cc #", "ccn"),
    *("check card", "credit", "credit card#", "dankort", "debit", "debit card", "diners club", "discover", "electron"),
    *("japanese card bureau", "jcb", "mastercard", "mc", "pan", "payment account number", "payment card number"),
    *("pcn", "union pay", "visa"),
)
_CODE_WORDS = (
    *("card id", "card identification code", "card identification number", "card security code"),
    *("card validation code", "card validation number", "card verification data", "card verification value"),
    *("cvc", "cvc2", "cvv", "cvv2", "elo verification code"),
)
_SECRET_WORDS = ("aws_secret_access_key", "credentials", "secret access key", "secret key", "set-awscredential")
_PHONE_WORDS = ("cell", "contact", "fax", "fax number", "mobile", "phone", "phone number", "tel", "telephone")
_CPF_WORDS = ("cadastro de pessoas fisicas", "cadastro de pessoas físicas", "cadastro de pessoa física", "cpf")
_CNPJ_WORDS = ("cadastro nacional da pessoa jurídica", "cadastro nacional da pessoa juridica", "cnpj")
_VEHICLE_WORDS = (
    "vehicle identification number",
    "vehicle number",
    "vehicle serial number",
    "vin",
    "fahrgestellnummer",
)

_MANAGED = (
    Identifier(
        "AwsSecretKey",
        _form(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"),
        _keywords(*_SECRET_WORDS),
        _is_secret_key,
    ),
    Identifier("OpenSshPrivateKey", _private_key("OPENSSH PRIVATE KEY")),
    Identifier("PgpPrivateKey", _private_key("PGP PRIVATE KEY BLOCK")),
    Identifier("PkcsPrivateKey", _private_key("(?:(?:RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY")),
    Identifier("PuttyPrivateKey", _form(r"PuTTY-User-Key-File-\d:.*?(?:Private-MAC: [0-9a-f]+|\Z)", re.DOTALL)),
    Identifier("IpAddress", _form(_IP_ADDRESS), None, _is_ip_address),
    Identifier("CreditCardNumber", _form(_CARD), _keywords(*_CARD_WORDS), _luhn),
    Identifier("CreditCardSecurityCode", _form(r"(?<![\w-])\d{3,4}(?![\w-])"), _keywords(*_CODE_WORDS)),
    Identifier(
        "CreditCardExpiration",
        _form(r"(?<![\d/-])(?:0?[1-9]|1[0-2])[/-](?:20)?\d{2}(?![\d/-])"),
        _keywords("exp d", "exp m", "exp y", "expiration", "expiry"),
    ),
    Identifier("EmailAddress", _form(_EMAIL)),
    Identifier(
        "Ssn-US",
        _form(r"(?<![\d-])(?!000|666|9\d\d)\d{3}([ -]?)(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])"),
        _keywords("social security", "ss#", "ssn"),
    ),
    Identifier(
        "PhoneNumber-US",
        _form(r"(?<![\d.-])(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-]?)[2-9]\d{2}[ .-]?\d{4}(?![\d-])"),
        _keywords(*_PHONE_WORDS),
    ),
    Identifier("ZipCode-US", _form(r"(?<![\d-])\d{5}(?:-\d{4})?(?![\d-])"), _keywords("zip code", "zip+4")),
    Identifier(
        "VehicleIdentificationNumber",
        _form(r"(?<![A-Z0-9])[A-HJ-NPR-Z0-9]{17}(?![A-Z0-9])"),
        _keywords(*_VEHICLE_WORDS),
        _is_vehicle,
    ),
    Identifier(
        "CpfCode-BR",
        _form(r"(?<!\d)\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?!\d)"),
        _keywords(*_CPF_WORDS),
        lambda text: _has_check_digits(text, 11),
    ),
    Identifier(
        "Cnpj-BR",
        _form(r"(?<!\d)\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}(?!\d)"),
        _keywords(*_CNPJ_WORDS),
        lambda text: _has_check_digits(text, 9),
    ),
)
MANAGED = {one.name: one for one in _MANAGED}
"""Managed identifiers by their names in ARNs."""


class _Custom:
    """An expression of one's own, which has no groups."""

    def __init__(self, text: str) -> None:
        """Raises PatternProblem."""
        try:
            self._finditer = re.compile(text, re.ASCII).finditer
            self._shape = automaton.shape_of(text)
            self._automaton = Automaton(self._shape)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternProblem(f"the expression {text} is invalid: {error}") from None
        self._is_plain = len(self._shape.choices) == 1 and self._shape.is_greedy
        """Whether Python's own engine finds the longest ones, too."""

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        if self._is_plain and self._shape.is_quick(len(text)):
            return (match.span() for match in self._finditer(text))
        return self._automaton.spans(text)


@lru_cache(maxsize=1024)
def custom(name: str, text: str) -> Identifier:
    """Return an identifier of one's own: as much as its expression can match. Raises PatternProblem."""
    if not _CUSTOM_CHARACTERS.fullmatch(text):
        raise PatternProblem(f"the expression {text} has what is not supported, or more than 200 characters")
    return Identifier(name, _Custom(text).spans)
