"""Passwords in URLs of HTTP, which are not shown."""

from __future__ import annotations

from urllib.parse import urlsplit


def masked(text: str) -> str:
    """Return a text as it is or, where it is such a URL with a password, with asterisks in the place of that."""
    if "@" not in text or not text[:6].lower().startswith(("http:", "https:")):
        return text
    try:
        password = urlsplit(text).password
    except ValueError:
        return text
    return text if not password else text.replace(f":{password}@", ":****@", 1)
