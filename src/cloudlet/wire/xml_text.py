"""Text in XML documents: which characters can be there, and how the others are written."""

from __future__ import annotations

import re
from typing import Final

_NEEDS_ESCAPE: Final = re.compile(r"[&<>\"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Return text as the content of an element or of a quoted attribute."""
    return text if _NEEDS_ESCAPE.search(text) is None else escape_many(text)


def escape_many(text: str) -> str:
    """Return text escaped that is known to need it, or is long: it is not looked at first."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    # What can be printed is nothing that XML has trouble with.
    return text if text.isprintable() else _NOT_XML.sub(_reference, text.replace("\r", "&#xD;"))


def escape_readable(text: str) -> str:
    """Return text as the content of an element, without what XML cannot hold."""
    return text if _NEEDS_ESCAPE.search(text) is None else escape_many_readable(text)


def escape_many_readable(text: str) -> str:
    """Return text escaped that is known to need it, or is long, without what XML cannot hold."""
    return escape_many(text if text.isprintable() else readable(text))


def readable(text: str) -> str:
    """Return text without what XML cannot hold: that is not worth an answer that nobody can read."""
    return _NOT_XML.sub("\ufffd", text)


def escape_error(text: object) -> str:
    """Return what an error says, escaped."""
    return escape(readable(str(text)))


def _reference(match: re.Match[str]) -> str:
    # XML 1.0 has no way to write these; AWS writes the reference all the same, and lone surrogates as U+FFFD.
    char = match[0]
    return "\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else f"&#x{ord(char):X};"
