"""The command parse, for globs, logfmt and CSV. User guide, "parse"."""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.services.logs.insights.sql import Kind, Sql, literal

_PAIR = r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)'
_ESCAPED, _CHARACTER = r"\\(.)", r"\1"
_CELL = ',("(?:[^"]|"")*"|[^,]*)'
_BEHIND = "substr({0}, instr({0}, {1}) + length({1}))"


def between(text: str, parts: Sequence[str]) -> str:
    """Return SQL for what is between parts of a text, as a list; null where it has not all of them, in order.

    Each is looked for behind the one before, once: a regular expression whose groups do that takes far longer. If the
    last part is empty, all the rest of the text stands before it.
    """
    first, *others = (literal(part) for part in (parts if parts[-1] else parts[:-1]))
    start = f"[{_BEHIND.format(text, first)}]"
    if parts[0]:
        start = f"CASE WHEN instr({text}, {first}) > 0 THEN {start} END"
    if not others:
        return start
    cut = f"[left(found[-1], instr(found[-1], part[1]) - 1), {_BEHIND.format('found[-1]', 'part[1]')}]"
    step = f"CASE WHEN instr(found[-1], part[1]) > 0 THEN list_concat(found[:-2], {cut}) END"
    return f"list_reduce([{', '.join(f'[{part}]' for part in others)}], lambda found, part: {step}, {start})"


def pairs(text: str) -> tuple[Sql, Sql]:
    """Return SQL for the keys and the values of a line, as lists; text is SQL, and simple."""
    keys, values = (f"regexp_extract_all({text}, {literal(_PAIR)}, {group})" for group in (1, 2))
    return Sql(keys, Kind.TEXT), Sql(values, Kind.TEXT)


def structure(keys: Sql, values: Sql) -> Sql:
    """Return SQL for a structure of columns with keys and values."""
    inner = f"regexp_replace({_within_quotes('p')}, {literal(_ESCAPED)}, {literal(_CHARACTER)}, 'g')"
    plain = f"list_transform({values.text}, lambda p: CASE WHEN starts_with(p, '\"') THEN {inner} ELSE p END)"
    members = f"list_transform(list_zip({keys.text}, {plain}), lambda p: to_json(p[1]) || ':' || to_json(p[2]))"
    return Sql(f"CAST('{{' || array_to_string({members}, ',') || '}}' AS JSON)", Kind.JSON)


def csv_values(text: str) -> str:
    """Return SQL for the values of a line, as a list; text is SQL."""
    # With a comma before it each value has one.
    cells = f"regexp_extract_all(',' || {text}, {literal(_CELL)}, 1)"
    quoted = f"replace({_within_quotes('p')}, '\"\"', '\"')"
    return f"list_transform({cells}, lambda p: CASE WHEN starts_with(p, '\"') THEN {quoted} ELSE p END)"


def _within_quotes(value: str) -> str:
    return f"substr({value}, 2, length({value}) - 2)"
