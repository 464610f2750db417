"""Languages: what a grammar makes of texts, where texts are wrong, and what it costs who does not ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError

GRAMMAR = """
?start: sum
?sum: atom | sum "+" atom -> added
?atom: NUMBER | "(" sum ")" | "-" atom -> negated | "[" NUMBER ["," NUMBER] "]" -> pair
NUMBER: /[0-9]+/
WORD: /[a-z]+/
word: WORD
%ignore " "
"""


class Sums:
    def NUMBER(self, text: str) -> int:
        if text == "13":
            raise LookupError("unlucky")
        return int(text)

    def added(self, left: int, right: int) -> int:
        return left + right

    def negated(self, value: int) -> int:
        return -value

    def pair(self, one: int, other: int | None) -> int:
        return one * (other or 1)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Language[int]:
    file = tmp_path_factory.mktemp("language") / "sums.lark"
    file.write_text(GRAMMAR)
    return Language(str(file.with_suffix(".py")), Sums(), deepest=3)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("1 + (2+3)", 6), ("--4", 4), ("[6, 7]", 42), ("[6]", 6), ("(((1)))+(((2)))", 3)]
)
def test_a_text_means_something(sums: Language[int], text: str, value: int) -> None:
    assert sums.read(text) == value


@pytest.mark.parametrize(
    ("text", "start", "end", "is_word"),
    [("", 0, 0, True), ("1 +", 3, 3, True), ("1 22", 2, 4, True), ("1 + ~", 4, 5, False), ("(1", 2, 2, True)],
)
def test_a_text_is_wrong_somewhere(sums: Language[int], text: str, start: int, end: int, is_word: bool) -> None:
    with pytest.raises(ParseError) as raised:
        sums.read(text)
    problem = raised.value
    assert (problem.start, problem.end, problem.is_word, problem.word) == (start, end, is_word, text[start:end])


def test_what_a_meaning_raises_comes_through(sums: Language[int]) -> None:
    with pytest.raises(LookupError, match="unlucky"):
        sums.read("1 + 13")


def test_nesting(sums: Language[int]) -> None:
    with pytest.raises(NestingTooDeep) as raised:
        sums.read("1 + ((((2))))")
    assert (raised.value.start, raised.value.end) == (7, 8)
    assert sums.read("-" * 100_000 + "1") == 1
    assert sums.read("1" + "+1" * 50_000) == 50_001


def test_who_does_not_ask_does_not_pay() -> None:
    languages = Path(__file__).parents[2] / "src" / "cloudlet"
    modules = sorted(
        ".".join(file.relative_to(languages.parent).with_suffix("").parts) for file in languages.rglob("*.lark")
    )
    assert "cloudlet.services.cloudwatch.alarm_rule" in modules
    program = f"import sys, {', '.join(modules)}; sys.exit('lark' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
