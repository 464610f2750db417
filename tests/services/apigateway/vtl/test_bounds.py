"""What a template takes is counted, whatever it does: each thing that takes long takes as many steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.services.apigateway.vtl import (
    UTIL,
    Input,
    Template,
    VtlError,
    compiled,
    json_path,
    patterns,
    steps,
)

_ITEMS = 40_000
_CHARACTERS = 640_000
_WANTED = 4_000
"""So many steps at least take this many items, or characters."""


class _Probe:
    """Tells a template how many steps it has taken."""

    def __init__(self) -> None:
        self.vtl_methods = {"taken": lambda _: steps.running().taken}


def _taken(operation: str) -> int:
    """Return how many steps an operation takes, which may use a large list, map and text."""
    variables = {
        "list": list(range(_ITEMS)),
        "texts": ["x"] * _ITEMS,
        "map": {str(number): number for number in range(_ITEMS)},
        "text": "x" * _CHARACTERS,
        "same": "x" * _CHARACTERS,
        "holder": {"text": "x" * _CHARACTERS},
        "empty": [],
        "one": "x",
        "none": {},
        "util": UTIL,
        "input": Input(json.dumps([0] * _ITEMS)),
        "probe": _Probe(),
    }
    text = compiled(f"#set($before = $probe.taken()){operation}\n|$before|$probe.taken()").render(variables).text
    _, before, after = text.rsplit("|", 2)
    return int(after) - int(before)


@pytest.mark.parametrize(
    "operation",
    [
        f"#set($r = [1..{_ITEMS}])",
        "#set($r = $empty.addAll($list))",
        "#set($r = $none.putAll($map))",
        "#set($r = $list.add(0, 1))",
        "#set($r = $list.remove(0))",
        "#set($r = $list.clear())",
        "#set($r = $map.containsValue('none'))",
        "#if($text == $same)#end",
        "#if($text <= $same)#end",
        "#set($r = $text.equals($same))",
        "#set($r = $holder.toString().length())",
        "#set($r = $util.parseJson($input.body))",
        "#set($r = $input.path('$'))",
        "#set($r = $input.path('$[*]').size())",
        "#set($r = $input.path('$..*').size())",
        "#set($r = $text.matches('x{1,20}'))",
        "#set($r = $util.urlEncode($text).length())",
        "#set($r = $util.escapeJavaScript($text).length())",
    ],
)
def test_what_takes_long_takes_many_steps(operation: str) -> None:
    assert _taken(operation) >= _WANTED


def test_the_length_of_a_result_counts_too() -> None:
    operation = "#set($r = $one.replace('x', $text))"
    assert _taken(operation) >= 2 * _CHARACTERS // 128


def test_a_loop_that_ends_at_once_copies_no_more_than_it_may_turn() -> None:
    assert _taken("#foreach($each in $list)#break#end") < 50


@pytest.mark.parametrize(
    "template",
    [
        # Each would be larger than memory is.
        "#set($l = [])#set($x = $l.addAll([1..99999]))#foreach($i in [0..999])#set($l[$i] = $l)#end$input.json('$')"
        "#set($x = $l.toString())",
        "#set($t = 'x')#foreach($i in [1..22])#set($t = $t.concat($t))#end$t.replaceAll('x', $t)",
        "#set($t = 'x')#foreach($i in [1..22])#set($t = $t.concat($t))#end$t.replaceAll('[x]', $t)",
        "#set($t = 'x')#foreach($i in [1..20])#set($t = $t.concat($t))#end"
        "$t.replaceAll('(x+)', '$1$1$1$1$1$1$1$1$1$1$1')",
        "#set($t = ',')#foreach($i in [1..20])#set($t = $t.concat($t))#end$t.split(',').size()",
        "#set($t = ',')#foreach($i in [1..20])#set($t = $t.concat($t))#end$t.split('[,]').size()",
        "#set($t = 'x+')#foreach($i in [1..12])#set($t = $t.concat($t))#end$t.matches($t)",
        "#set($t = '$.x')#foreach($i in [1..12])#set($t = $t.concat($t))#end$input.path($t)",
    ],
)
def test_what_would_be_too_large_is_refused_before_it_is_made(template: str) -> None:
    with pytest.raises(VtlError):
        compiled(template).render({"input": Input("{}"), "util": UTIL})


def test_a_list_that_holds_itself_is_not_written() -> None:
    items: Any = json_path.JsonArray()
    items.extend([items] * 100_000)
    with pytest.raises(VtlError, match="too large"):
        compiled("$items").render({"items": items})


@pytest.mark.parametrize(
    "template",
    [
        # What is no expression in the end is text, and was read for nothing.
        "$a[[" * 45 + "$b," * 12_000,
        "#a($b" * 100_000,
        "$a[" * 100_000,
    ],
)
def test_a_template_that_is_read_again_and_again_is_refused(template: str) -> None:
    with pytest.raises(VtlError, match="too many expressions"):
        Template(template)


@pytest.mark.parametrize("text", ["\\" * 300_000, " " * 300_000 + "x#set($a = 1)", "##\n" * 100_000])
def test_long_runs_of_a_character_are_read_once(text: str) -> None:
    Template(text)


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("", 0), ("abc", 3), ("a{3}", 3), ("(ab){10}c", 21), ("((a{10}){10}){10}", 1000), ("[a-z]{2,5}", 5), (r"\{2}", 3)],
)
def test_what_a_pattern_is_made_of(pattern: str, size: int) -> None:
    assert patterns._size(pattern) == size
