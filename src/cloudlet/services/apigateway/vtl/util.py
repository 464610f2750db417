"""`$util`: what templates have for texts. Developer guide, "Mapping template and access logging variable reference"."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from cloudlet.services.apigateway.vtl import steps, values

_ESCAPES = {
    '"': '\\"',
    "'": "\\'",
    "\\": "\\\\",
    "/": "\\/",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


_SLOWLY = 8
"""As many times as long takes what goes through a text character by character, in Python."""


def _read_slowly(text: Any) -> str:
    """Return a value as a text that is gone through character by character. Raises VtlError."""
    written = values.text(text)
    steps.running().take_for_text(_SLOWLY * len(written))
    return written


def _escape_javascript(text: Any) -> str:
    return "".join(_ESCAPES.get(each) or _escaped(each) for each in _read_slowly(text))


def _escaped(character: str) -> str:
    """Return a character that is none of ASCII's as JavaScript has it, in units of UTF-16."""
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


class _Util:
    """The functions."""

    def __init__(self) -> None:
        self.vtl_methods = {
            "escapeJavaScript": lambda _, text: _escape_javascript(text),
            "parseJson": lambda _, text: values.of_json(values.text(text)),
            "urlEncode": lambda _, text: quote_plus(_read_slowly(text), safe="*-._"),
            "urlDecode": lambda _, text: unquote_plus(_read_slowly(text)),
            "base64Encode": lambda _, text: b64encode(values.text(text).encode()).decode(),
            "base64Decode": lambda _, text: b64decode(values.text(text), validate=True).decode("utf-8", "replace"),
        }


UTIL = _Util()
