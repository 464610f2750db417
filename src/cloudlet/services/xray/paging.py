"""Tokens that say where the next page begins."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

from cloudlet.services.xray.errors import invalid


def token_of(place: bytes) -> str:
    """Return the token of the page that begins after a place."""
    return urlsafe_b64encode(place).decode()


def place_of(token: str | None) -> bytes | None:
    """Return the place after which the page of a token begins; None for the first page. Raises AwsError."""
    if token is None:
        return None
    try:
        place = b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        place = b""
    if not place:
        raise invalid("Invalid NextToken")
    return place


def refuse(token: str | None) -> None:
    """Raise AwsError for a token where the first page is the only one."""
    if token is not None:
        raise invalid("Invalid NextToken")
