"""How deeply JSON is nested, without reading it."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudlet.services.s3.querying import nesting
from cloudlet.services.s3.querying.nesting import is_deeper

NAMES = st.text('[{"\\]}', max_size=3)
DOCUMENTS = st.recursive(
    st.text('[]{}"\\,: x') | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=30,
)


def depth_of(document: Any) -> int:
    if isinstance(document, dict):
        document = list(document.values())
    return 1 + max(map(depth_of, document), default=0) if isinstance(document, list) else 0


@given(st.lists(DOCUMENTS, max_size=4), st.integers(1, 40))
@example([{"": []}], 8)
@example(["", [[]]], 2)
def test_what_is_deeper_is_seen_and_what_is_half_as_deep_is_not(documents: list[Any], chunk: int) -> None:
    text = "\n".join(map(json.dumps, documents)).encode()
    deepest = max(map(depth_of, documents), default=0)
    with patch.object(nesting, "_CHUNK", chunk):
        assert not is_deeper(io.BytesIO(text), 2 * deepest)
        assert deepest == 0 or is_deeper(io.BytesIO(text), deepest - 1)


@pytest.mark.parametrize("text", [b"[" * 5_000_000, b'{"a":' * 1_000_000, b"[" * 1000 + b"]" * 1000])
def test_what_is_far_too_deep_is_seen_at_once(text: bytes) -> None:
    assert is_deeper(io.BytesIO(text), 500)
