"""Secrets found by filters, in pages, by an order.

User guide, "Find secrets in AWS Secrets Manager"; API reference, Filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.secretsmanager import errors, secret
from cloudlet.services.secretsmanager.secret_record import Secret

MAX_EXAMINED_SECRETS: Final = 2_000
"""A page ends after so many secrets, however many of them match."""
_READ: Final = 100
_WORD: Final = re.compile(r"[^\s:/_+=.@!-]+")

Match = Callable[[Secret], bool]


def compile_filters(filters: Iterable[Mapping[str, Any]] | None) -> Match:
    """Return a function that tells whether a secret matches all filters. Raises InvalidParameter."""
    tests = [_compile_filter(each) for each in filters or ()]
    return lambda about: all(test(about) for test in tests)


def _compile_filter(given: Mapping[str, Any]) -> Match:
    key, texts = given.get("Key"), given.get("Values")
    if key is None or not texts:
        raise errors.InvalidParameter("A filter has a Key and Values.")
    tests = [_compile_value(key, text) for text in texts]
    return lambda about: any(test(about) for test in tests)


def _compile_value(key: str, text: str) -> Match:
    if text.startswith("!"):
        wanted = _compile_value(key, text[1:])
        return lambda about: not wanted(about)
    if key in ("all", "description"):
        words = _WORD.findall(text.lower())
        return lambda about: _have_words(_ATTRIBUTES[key](about), words)
    return lambda about: any(each.startswith(text) for each in _ATTRIBUTES[key](about))


def _have_words(texts: Iterable[str], words: list[str]) -> bool:
    """Whether each word is the beginning of a word of the texts, in whatever case."""
    there = [word for text in texts for word in (text.lower(), *_WORD.findall(text.lower()))]
    return all(any(each.startswith(word) for each in there) for word in words)


_ATTRIBUTES: Final[dict[str, Callable[[Secret], Iterable[str]]]] = {
    "name": lambda about: (about.name,),
    "description": lambda about: (about.description,),
    "tag-key": lambda about: about.tags,
    "tag-value": lambda about: about.tags.values(),
    "primary-region": lambda about: (about.primary_region or about.region,) if _is_replicated(about) else (),
    "owning-service": lambda about: (about.owner,) if about.owner else (),
    "all": lambda about: (about.name, about.description, about.owner, *about.tags, *about.tags.values()),
}


def _is_replicated(about: Secret) -> bool:
    return bool(about.primary_region or about.replicas)


async def list_page(
    tx: Transaction,
    account: str,
    region: str,
    matches: Match,
    token: str | None,
    limit: int,
    *,
    order: str = "created-date",
    is_descending: bool = False,
    includes_deleted: bool = False,
) -> tuple[list[Secret], str | None]:
    """Return up to `limit` secrets that match, in an order, and the next page's token. Raises InvalidNextToken."""
    by_name = order == "name"
    space = secret.get_space(account, region) if by_name else secret.get_order(account, region, order)
    place = page_tokens.parse_page_token(token, errors.InvalidNextToken())
    begin, end = space.begin, space.end
    if place and is_descending:
        end = space.prefix + place
    elif place:
        begin = space.prefix + place + b"\x00"
    if begin >= end:
        raise errors.InvalidNextToken
    found: list[Secret] = []
    last = b""
    for _ in range(MAX_EXAMINED_SECRETS // _READ):
        rows = await tx.range(begin, end, limit=_READ, reverse=is_descending)
        for key, raw in rows:
            about = secret.decode(raw) if by_name else await secret.find(tx, account, region, space.unpack(key)[-1])
            if about is not None and (includes_deleted or not about.deleted) and matches(about):
                if len(found) == limit:
                    return found, page_tokens.make_page_token(last.removeprefix(space.prefix))
                found.append(about)
            last = key
        if len(rows) < _READ:
            return found, None
        if is_descending:
            end = last
        else:
            begin = last + b"\x00"
    return found, page_tokens.make_page_token(last.removeprefix(space.prefix))
