"""JSON that others have written, with numbers that take long to read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.wire import json_text


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("number", ["1e300", "1E+300", "1.7976931348623157e308", "-2.5e29"])
def test_numbers_with_large_exponents_are_read_by_what_does_not_take_long(number: str, as_bytes: bool) -> None:
    text = f"[{','.join([number] * 50_000)}]"
    given = text.encode() if as_bytes else text
    assert json_text.is_slow(given), "the other parser reads it"
    assert json_text.decode(given) == json.loads(text)


def test_digits_alone_are_no_such_numbers() -> None:
    assert not json_text.is_slow(b"0123456789abcdef" * 1000)


@pytest.mark.parametrize(
    "document", [{}, [1.5, "e300", None], {"a": [1e300] * 3}, ["abc1e30"] * 2000, {"ü": [2**80, True] * 2000}]
)
def test_what_is_read_is_what_was_written(document: Any) -> None:
    text = json.dumps(document)
    assert json_text.decode(text) == json_text.decode(text.encode()) == document


@pytest.mark.parametrize(
    "wrong",
    ["", "[", "{'a': 1}", "[NaN]", "[1e300," * 2000, f"[{'1e300,' * 2000}1e999]", f"[{'1e300,' * 2000}Infinity]"],
)
def test_what_is_not_json_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of two parsers
        json_text.decode(wrong)


@pytest.mark.parametrize("wrong", [rb'"\ud800"', rb'{"\uDC00": 1}', b'"\xed\xa0\x80"', b'"\xff"'])
@pytest.mark.parametrize("many", [b"", b"1e300," * 2000])
def test_what_is_no_text_is_refused(many: bytes, wrong: bytes) -> None:
    for text in (b"[" + many + wrong + b"]", (b"[" + many + b'"a"]').decode().encode("utf-16")):
        with pytest.raises(ValueError):  # noqa: PT011 - of two parsers
            json_text.decode(text)


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_text.decode("[" * 200_000 + "1e300," * 2000)
