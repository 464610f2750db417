"""Patterns with wildcards, against Python's own."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.ecr.wildcards import is_match


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_pattern_matches_as_the_same_regular_expression_does(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text)
    assert is_match(pattern, text) == (expected is not None)
