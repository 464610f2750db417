"""Lists in pages, with tokens that say after which name the next page begins."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

from cloudlet.services.logs import errors


def token_of(place: bytes) -> str:
    """Return the token of the page that begins after a place."""
    return urlsafe_b64encode(place).decode()


def place_of(token: str | None) -> bytes:
    """Return after what the page of a token begins; nothing for the first page. Raises AwsError."""
    if token is None:
        return b""
    try:
        place = b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        place = b""
    if not place:
        raise errors.invalid_token()
    return place


def name_of(token: str | None) -> str:
    """Return after which name the page of a token begins. Raises AwsError."""
    try:
        return place_of(token).decode()
    except UnicodeDecodeError:
        raise errors.invalid_token() from None
