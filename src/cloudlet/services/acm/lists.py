"""Lists of certificates in any order, in pages. A quota bounds how many an account has: all are read for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from cloudlet.core.aws import page_tokens
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.errors import ValidationError

SortKey = tuple[bool, str | float, str]
"""Whether there is a value, the value, and the id, which tells equal ones apart."""
_WRONG = "The NextToken is not valid."


def list_page(
    found: Iterable[Certificate],
    get_value: Callable[[Certificate], str | float | None],
    limit: int,
    token: str | None,
    *,
    is_descending: bool = False,
) -> tuple[list[Certificate], str | None]:
    """Return certificates in the order of a value, and the next page's token. Raises ValidationError.

    Those that have no such value are the first of an ascending order.
    """
    after = _parse_token(token)

    def get_key(certificate: Certificate) -> SortKey:
        value = get_value(certificate)
        known = "" if value is None else value
        return value is not None, float(known) if isinstance(known, bool) else known, certificate.name

    ordered = sorted(((get_key(each), each) for each in found), key=lambda pair: pair[0], reverse=is_descending)
    try:
        rest = [pair for pair in ordered if after is None or (pair[0] < after if is_descending else pair[0] > after)]
    except TypeError:
        # The token is of a list in another order.
        raise ValidationError(_WRONG) from None
    page = rest[:limit]
    following = page_tokens.make_page_token(msgspec.json.encode(page[-1][0])) if len(rest) > limit else None
    return [certificate for _, certificate in page], following


def _parse_token(token: str | None) -> SortKey | None:
    place = page_tokens.parse_page_token(token, ValidationError(_WRONG))
    if not place:
        return None
    try:
        parsed: Any = msgspec.json.decode(place, type=tuple[bool, str | float, str])
    except msgspec.DecodeError:
        raise ValidationError(_WRONG) from None
    key: SortKey = parsed
    return key
