r"""Domain names as Route 53 writes them: absolute, in lower case, escaped in octal.

Developer Guide, "DNS domain name format". A `*` is shown as `\052`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MAX_LABEL_BYTES: Final = 63
MAX_NAME_BYTES: Final = 255
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
_ESCAPED = re.compile(r"\\([0-3][0-7]{2})|\\(.)|(.)", re.DOTALL)

Labels = tuple[bytes, ...]
"""From left to right, without the empty one at the end."""


class MalformedName(ValueError):
    """A text that is no domain name, with Route 53's code for the reason."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code} ({why})")
        self.code = code
        self.why = why


def parse_name(text: str) -> Labels:
    """Return the labels of a name in lower case. Raises MalformedName."""
    labels, label = [], bytearray()
    body = text[:-1] if text.endswith(".") and not text.endswith("\\.") else text
    if not body:
        if text == ".":
            return ()
        raise MalformedName("DomainLabelEmpty", "Domain label is empty")
    for match in _ESCAPED.finditer(body):
        octal, escaped, plain = match.groups()
        if octal is not None:
            label.append(int(octal, 8))
        elif escaped is not None:
            label += escaped.encode()
        elif plain == ".":
            labels.append(_close(label))
            label = bytearray()
        else:
            label += plain.encode()
    labels.append(_close(label))
    if sum(len(each) + 1 for each in labels) + 1 > MAX_NAME_BYTES:
        raise MalformedName("DomainNameTooLong", "Domain name is too long")
    return tuple(labels)


def _close(label: bytearray) -> bytes:
    if not label:
        raise MalformedName("DomainLabelEmpty", "Domain label is empty")
    if len(label) > MAX_LABEL_BYTES:
        raise MalformedName("DomainLabelTooLong", "Domain label is too long")
    return bytes(label).lower()


@lru_cache(4096)
def format_name(labels: Labels) -> str:
    """Return a name as Route 53 shows it, with a dot at its end."""
    return "".join(f"{_format_label(label)}." for label in labels) or "."


def _format_label(label: bytes) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in label)


def to_sort_key(labels: Labels) -> str:
    """Return the text that names are sorted by: the labels from right to left (ListResourceRecordSets)."""
    return format_name(labels[::-1])


def from_wire(wire: bytes) -> Labels:
    """Return the labels of a name on the wire, which is not compressed."""
    labels, at = [], 0
    while length := wire[at]:
        labels.append(wire[at + 1 : at + 1 + length])
        at += length + 1
    return tuple(labels)


def is_within(labels: Labels, zone: Labels) -> bool:
    """Whether a name is that of a zone or below it."""
    return len(labels) >= len(zone) and labels[len(labels) - len(zone) :] == zone
