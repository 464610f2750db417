"""A long list of structures is written as its structures are one by one, whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.wire import InvalidResult, load

_LISTING = load("s3").operations["ListObjectsV2"]
_TEXTS = st.one_of(
    st.text(max_size=5), st.text(st.sampled_from('|a&<>"\r\n\x00\ud800\uffffé\u2028'), max_size=5), st.just("same")
)
_OWNERS = st.sampled_from([{"ID": "a", "DisplayName": "|"}, {"ID": "b"}, {}])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Key": _TEXTS,
    "LastModified": st.one_of(st.just(7), st.integers(0, 1 << 31), st.floats(0, 1 << 31)),
    "ETag": _TEXTS,
    "ChecksumAlgorithm": st.lists(st.sampled_from(["CRC32", "SHA1", "new"]), max_size=2),
    "Size": st.one_of(st.just(7), st.integers(0, 5 << 40)),
    "StorageClass": st.sampled_from(["STANDARD", "GLACIER", "new"]),
    "Owner": _OWNERS,
}


def _rows(names: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    in_order = st.tuples(*(_VALUES[name] for name in names)).map(lambda values: dict(zip(names, values, strict=True)))
    alike = st.lists(in_order, min_size=8, max_size=12)
    with_none = st.fixed_dictionaries({name: st.none() | _VALUES[name] for name in names})
    optional = st.fixed_dictionaries({}, optional=_VALUES)
    return st.one_of(alike, st.lists(with_none | optional, min_size=8, max_size=12))


def _contents(rows: list[Any]) -> bytes:
    body = _LISTING.serialize("rest-xml", {"Contents": rows}, "id").body
    assert isinstance(body, bytes)
    return body.partition(b'/">')[2].removesuffix(b"</ListBucketResult>")


@given(st.permutations(list(_VALUES)).flatmap(lambda names: _rows(tuple(names))))
def test_rows_are_written_together_as_they_are_alone(rows: list[dict[str, Any]]) -> None:
    assert _contents(rows) == b"".join(_contents([row]) for row in rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Key": 1},
        {"Size": "1"},
        {"Size": True},
        {"LastModified": "now"},
        {"Owner": "me"},
        {"Nothing": "1"},
        "Key",
        None,
    ],
    ids=repr,
)
def test_what_is_wrong_in_one_of_many_rows_is_told(wrong: Any) -> None:
    right = {"Key": "a", "Size": 1, "LastModified": 0, "Owner": {}}
    rows = [right] * 9 + [{**right, **wrong} if isinstance(wrong, dict) else wrong]
    if wrong is None:
        assert _contents(rows).endswith(b"<Contents/>")
        return
    with pytest.raises((InvalidResult, TypeError)):
        _contents(rows)
