"""The tokens of lists in pages: what the next page comes after, in a form that clients do not look into.

They are not sealed: a list takes the place in a token for a bound within what the caller may see, and for nothing else.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

from cloudlet.core.kernel.errors import AwsError


def make_page_token(place: bytes) -> str:
    """Return the token of the page that comes after a place, which is not empty."""
    return urlsafe_b64encode(place).decode()


def parse_page_token(token: str | None, wrong: AwsError) -> bytes:
    """Return what the page of a token comes after; nothing for the first page. Raises `wrong` for what is no token."""
    if token is None:
        return b""
    try:
        place = b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        raise wrong from None
    if not place:
        raise wrong
    return place


def parse_name_token(token: str | None, wrong: AwsError) -> str:
    """Return the name that the page of a token comes after; nothing for the first page. Raises `wrong`."""
    try:
        return parse_page_token(token, wrong).decode()
    except UnicodeDecodeError:
        raise wrong from None
