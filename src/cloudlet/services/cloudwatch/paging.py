"""Lists in pages, with tokens that say where the next page begins."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode

from cloudlet.core import AwsError
from cloudlet.services.cloudwatch import errors


def token_of(place: bytes) -> str:
    """Return the token of the page that begins after a place."""
    return urlsafe_b64encode(place).decode()


def place_of(token: str | None, otherwise: AwsError | None = None) -> bytes:
    """Return where the page of a token begins; nothing for the first page. Raises AwsError."""
    if token is None:
        return b""
    try:
        place = b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        place = b""
    if not place:
        raise otherwise or errors.invalid_token()
    return place
