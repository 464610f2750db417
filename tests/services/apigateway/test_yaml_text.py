"""What definitions in YAML may stand for: it is known before anything of that is made."""

from __future__ import annotations

import pytest
import yaml

from cloudlet.services.apigateway import yaml_text
from cloudlet.services.apigateway.yaml_text import Refused

_REPEATED = "a0: &a0 [text]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
_MERGED = "a0: &a0 {k: text}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}]}}\n" for n in range(9)
)
_CHAINED = "a0: &a0 [text]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(300))


def test_a_text_is_read_as_json_has_it() -> None:
    text = "a: &a {200: [1, yes, null, 'x']}\nb: *a\nc: {<<: *a, d: 1.5}\n"
    shared = {"200": [1, True, None, "x"]}
    assert yaml_text.read(text) == {"a": shared, "b": shared, "c": {**shared, "d": 1.5}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "neither JSON nor YAML"),
        ("a: !!python/object:os.system {}", "neither JSON nor YAML"),
        ("a: !!int x", "neither JSON nor YAML"),
        (_REPEATED, "stand for too much"),
        (_MERGED, "stand for too much"),
        ("a: &a [*a]", "stand for too much"),
        ("a: &a {b: *a}", "stand for too much"),
        (_CHAINED, "nested too deeply"),
        ("[" * 300 + "]" * 300, "nested too deeply"),
        ("a: " + "1" + ":1" * 100_000, "a number that is too large"),
        ("a: !!int '" + "1" + ":1" * 100_000 + "'", "a number that is too large"),
        ("[" + "1," * 250_000 + "1]", "values"),
    ],
)
def test_what_stands_for_too_much_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    made = []
    load = yaml.load
    monkeypatch.setattr(yaml, "load", lambda *given: made.append(given) or load(*given))  # type: ignore[func-returns-value]
    with pytest.raises(Refused, match=reason):
        yaml_text.read(text)
    assert not made or reason == "neither JSON nor YAML"
