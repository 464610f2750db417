"""Claims that rules ask bearer tokens for."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.elbv2.proxy.token_validation import has_claim


@pytest.mark.parametrize(
    ("kind", "value", "values", "is_valid"),
    [
        ("single-string", "a", ["a", "b"], True),
        ("single-string", "c", ["a", "b"], False),
        ("single-string", ["a"], ["a"], False),
        ("string-array", ["a", "b", "c"], ["a", "b"], True),
        ("string-array", ["a"], ["a", "b"], False),
        ("string-array", "a", ["a"], False),
        ("space-separated-values", "a b c", ["c", "a"], True),
        ("space-separated-values", "ab", ["a"], False),
        ("space-separated-values", None, ["a"], False),
    ],
)
def test_claims(kind: str, value: Any, values: list[str], is_valid: bool) -> None:
    assert has_claim({"scope": value}, {"Name": "scope", "Format": kind, "Values": values}) == is_valid
