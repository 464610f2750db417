"""The public registries: one for an account, in no region.

ECR Public user guide, "Amazon ECR public registries". Public repositories are stored like private ones, in a region of
their own.
"""

from __future__ import annotations

import re
from string import ascii_lowercase, digits
from typing import Final

REGION: Final = "(public)"
"""The region that public repositories are stored in: no client's request can be to it."""
HOME_REGION: Final = "us-east-1"
"""The region whose endpoint has the operations."""
MODEL: Final = "ecr-public"
HOST: Final = "public.ecr.aws"
_DIGITS: Final = digits + ascii_lowercase
_ALIAS: Final = re.compile(r"[a-m][0-9a-z]{7}", re.ASCII)


def make_alias(account: str) -> str:
    """Return the alias that an account's registry has by default: its number in other digits."""
    number, alias = int(account), ""
    for _ in range(7):
        number, digit = divmod(number, len(_DIGITS))
        alias = _DIGITS[digit] + alias
    return ascii_lowercase[number] + alias


def find_account(alias: str) -> str | None:
    """Return the account whose registry has an alias."""
    if _ALIAS.fullmatch(alias) is None:
        return None
    number = ascii_lowercase.index(alias[0])
    for each in alias[1:]:
        number = number * len(_DIGITS) + _DIGITS.index(each)
    account = f"{number:012}"
    return account if len(account) == 12 else None
