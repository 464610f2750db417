"""Items as Amazon Ion text."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.dynamodb.item_data import ion

NAMES = {
    "p": "p",
    "_a9$": "_a9$",
    "a name, with: {signs}": '"a name, with: {signs}"',
    "null": '"null"',
    "nan": '"nan"',
    "$ion_1_0": '"$ion_1_0"',
    "9": '"9"',
    'a"b': '"a\\"b"',
}


@pytest.mark.parametrize(("name", "written"), list(NAMES.items()))
def test_names_that_are_no_symbols_are_quoted(name: str, written: str) -> None:
    line = ion.line("Item", {name: {"N": "1.5"}})
    assert line.decode() == f"$ion_1_0 {{Item:{{{written}:1.5}}}}"
    assert ion.item(line) == {name: {"N": "1.5"}}


def test_numbers_are_decimals_and_sets_are_annotated() -> None:
    line = ion.line("Item", {"n": {"N": "103"}, "ns": {"NS": ["1", "2.5"]}, "bs": {"BS": [b"a", b""]}, "l": {"L": []}})
    assert line == b"$ion_1_0 {Item:{n:103.,ns:$dynamodb_NS::[1.,2.5],bs:$dynamodb_BS::[{{YQ==}},{{}}],l:[]}}"


READ: list[tuple[str, dict[str, Any]]] = [
    ("{Item:{}}", {}),
    (
        "$ion_1_0 {Item:{Id:103.,PageCount:6d2,Price:-2.5D3,n:1_000,e:1e-2}}",
        {
            "Id": {"N": "103."},
            "PageCount": {"N": "6e2"},
            "Price": {"N": "-2.5e3"},
            "n": {"N": "1000"},
            "e": {"N": "1e-2"},
        },
    ),
    (
        "{ Item : { 'a b' : null.string , \"c\" : [ true , ] , } } // the end",
        {"a b": {"NULL": True}, "c": {"L": [{"BOOL": True}]}},
    ),
    (
        "/* an */ {Item:{a:'''it''' /* is */ '''\\'s''', b:{{ AP 8= }}}}",
        {"a": {"S": "it's"}, "b": {"B": b"\x00\xff"}},
    ),
    (r'{Item:{a:"\x41\u00fc\ud83d\ude00\U0001f600\t\0\/"}}', {"a": {"S": "Aü\U0001f600\U0001f600\t\0/"}}),
    ("{Item:{a:$dynamodb_NS::[1, 2.]}}", {"a": {"NS": ["1", "2."]}}),
    ("{Item:{a:'$dynamodb_BS'::[{{YQ==}}]}}", {"a": {"BS": [b"a"]}}),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_what_is_read(text: str, expected: dict[str, Any]) -> None:
    assert ion.item(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$ion_1_0",
        "{Items:{}}",
        "{Item:1}",
        "{Item:{}} {Item:{}}",
        "{Item:{}, Other:1}",
        "{Item:{a:1, a:2}}",
        "{Item:{a 1}}",
        "{Item:{1:1}}",
        "{Item:{a:[1 2]}}",
        "{Item:{a:[1",
        "{Item:{a:2020-01-01}}",
        "{Item:{a:2020-01-01T00:00Z}}",
        "{Item:{a:symbol}}",
        "{Item:{a:0x10}}",
        "{Item:{a:+1}}",
        "{Item:{a:$dynamodb_SS::[1]}}",
        '{Item:{a:$dynamodb_SS::"x"}}',
        "{Item:{a:dollars::1}}",
        "{Item:{a:{{*}}}}",
        "{Item:{a:{{YQ}}}}",
        r'{Item:{a:"\q"}}',
        r'{Item:{a:"\ud800"}}',
        r'{Item:{a:"\Uffffffff"}}',
        '{Item:{a:"open}}',
        "{Item:{a:" + "[" * 200 + "]" * 200 + "}}",
        "{Item:{a:" + "a::" * 5000 + "1}}",
        " " * 100_000 + "?",
        "//" * 100_000 + "\n?",
    ],
)
def test_what_is_no_item(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (a line is read or it is not: nobody is told why)
        ion.item(text.encode())
