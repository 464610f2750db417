"""Markdown of text widgets as HTML. User guide, "Add or remove a text widget from a CloudWatch dashboard".

Headings, lists, tables, quotes, code, rules, emphasis, links and buttons. All else is text: nothing in it is HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from html import escape, unescape

_HEADING = re.compile(r" {0,3}(#{1,6})(?=\s)(.*)\Z")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*\Z")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)\Z")
_DASHES = re.compile(r":?-+:?")
_FENCE = re.compile(r" {0,3}```")
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[([^\[\]]{0,1000})\]\(([^()\s]{1,2000})\)")
_BUTTON = re.compile(r"button:(?:primary:)?(.*)", re.DOTALL)
_EMPHASIS = (
    (re.compile(r"\*\*([^*\n]+)\*\*"), "strong"),
    (re.compile(r"\*([^*\n]+)\*"), "em"),
    (re.compile(r"\b__([^_\n]+)__\b"), "strong"),
    (re.compile(r"\b_([^_\n]+)_\b"), "em"),
    (re.compile(r"~~([^~\n]+)~~"), "del"),
)
_SAFE = re.compile(r"(?:https?://|mailto:|[#/])", re.IGNORECASE)


def html_of(text: str) -> str:
    """Return a text in Markdown as HTML."""
    return "\n".join(_blocks(text.splitlines()))


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        end = at + 1
        if heading := _HEADING.match(line):
            level = len(heading[1])
            yield f"<h{level}>{_inline(heading[2].rstrip().rstrip('#').strip())}</h{level}>"
        elif _FENCE.match(line):
            while end < len(lines) and not _FENCE.match(lines[end]):
                end += 1
            yield f"<pre>{escape(chr(10).join(lines[at + 1 : end]))}</pre>"
            end += 1
        elif _RULE.match(line):
            yield "<hr>"
        elif item := _ITEM.match(line):
            kind = _kind(item)
            end = _run(lines, end, partial(_is_item, kind))
            items = (_ITEM.sub(r"\2", one) for one in lines[at:end])
            yield f"<{kind}>{''.join(f'<li>{_inline(one)}</li>' for one in items)}</{kind}>"
        elif line.lstrip().startswith(">"):
            end = _run(lines, end, lambda other: other.lstrip().startswith(">"))
            quoted = [one.lstrip()[1:].removeprefix(" ") for one in lines[at:end]]
            yield f"<blockquote>{_inline(chr(10).join(quoted))}</blockquote>"
        elif "|" in line and "|" in following and all(map(_DASHES.fullmatch, _cells(following))):
            end = _run(lines, at + 2, lambda other: "|" in other)
            rows = "".join(_row(one, "td") for one in lines[at + 2 : end])
            yield f"<table>{_row(line, 'th')}{rows}</table>"
        elif line.strip():
            end = _run(lines, end, lambda other: bool(other.strip()) and not _begins_block(other))
            yield f"<p>{_inline(chr(10).join(lines[at:end]))}</p>"
        at = end


def _run(lines: list[str], at: int, belongs: Callable[[str], object]) -> int:
    """Return where those of the lines end that belong together."""
    while at < len(lines) and belongs(lines[at]):
        at += 1
    return at


def _kind(item: re.Match[str]) -> str:
    return "ol" if item[1] else "ul"


def _is_item(kind: str, line: str) -> bool:
    found = _ITEM.match(line)
    return found is not None and _kind(found) == kind


def _begins_block(line: str) -> bool:
    return any(pattern.match(line) for pattern in (_HEADING, _FENCE, _RULE, _ITEM)) or line.lstrip().startswith(">")


def _row(line: str, cell: str) -> str:
    return f"<tr>{''.join(f'<{cell}>{_inline(part)}</{cell}>' for part in _cells(line))}</tr>"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _inline(text: str) -> str:
    """Return a text with its code, links and emphasis as HTML."""
    parts = _CODE.split(text)
    return "".join(f"<code>{escape(part)}</code>" if at % 2 else _linked(part) for at, part in enumerate(parts))


def _linked(text: str) -> str:
    found = []
    at = 0
    for match in _LINK.finditer(text):
        found.append(_emphasised(text[at : match.start()]))
        found.append(_link(match))
        at = match.end()
    return "".join([*found, _emphasised(text[at:])])


def _link(match: re.Match[str]) -> str:
    if not _SAFE.match(unescape(match[2])):
        return escape(match[0])
    button = _BUTTON.fullmatch(match[1])
    label = _emphasised(button[1] if button else match[1])
    kind = ' class="button"' if button else ""
    return f'<a{kind} href="{escape(match[2])}" rel="noreferrer">{label}</a>'


def _emphasised(text: str) -> str:
    html = escape(text)
    for pattern, tag in _EMPHASIS:
        html = pattern.sub(rf"<{tag}>\1</{tag}>", html)
    return html
