"""URLs that callers have written, which may be none."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_NONE = SplitResult("", "", "", "", "")


def split_url(text: str) -> SplitResult:
    """Return the parts of a URL, all empty where the text is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return _NONE
