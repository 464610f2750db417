"""Keys sort as the values that they are of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.dynamodb.item_data import keys

DIGITS = st.integers(-(10**38) + 1, 10**38 - 1)
NUMBERS = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), DIGITS, st.integers(-92, 87)).map(str)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "N": NUMBERS | st.integers(-1000, 1000).map(str),
    "S": TEXTS | st.text("\x00\x01a", min_size=1, max_size=4),
    "B": st.binary(min_size=1, max_size=4) | st.lists(st.sampled_from([0, 1, 255]), min_size=1).map(bytes),
}
ORDERED = {"N": Decimal, "S": lambda text: text.encode(), "B": bytes}


def encoded(kind: str, value: Any) -> bytes:
    return keys.encoded(kind, {kind: value})


@given(st.data(), st.sampled_from("NSB"))
def test_values_sort_as_they_do_in_dynamodb(data: st.DataObject, kind: str) -> None:
    one, other = data.draw(VALUES[kind]), data.draw(VALUES[kind])
    order: Any = ORDERED[kind]
    assert (encoded(kind, one) < encoded(kind, other)) == (order(one) < order(other))
    assert (encoded(kind, one) == encoded(kind, other)) == (order(one) == order(other))


@given(st.data(), st.sampled_from("NSB"), st.sampled_from(["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]))
def test_a_condition_holds_within_its_bounds_alone(data: st.DataObject, kind: str, operator: str) -> None:
    if operator == "begins_with" and kind == "N":
        return
    value, low, high = (data.draw(VALUES[kind]) for _ in range(3))
    order: Any = ORDERED[kind]
    v, a, b = order(value), order(low), order(high)
    holds = {
        "=": v == a,
        "<": v < a,
        "<=": v <= a,
        ">": v > a,
        ">=": v >= a,
        "BETWEEN": a <= v <= b,
        "begins_with": kind != "N" and v.startswith(a),
    }[operator]
    limits = [encoded(kind, low)] + ([encoded(kind, high)] if operator == "BETWEEN" else [])
    begin, end = keys.bounds(b"prefix", operator, *limits)
    for suffix in (b"", encoded("S", "more"), encoded("N", "-1")):
        assert (begin <= b"prefix" + encoded(kind, value) + suffix < end) == holds


@given(st.integers(1, 70_000), st.binary(min_size=2, max_size=2))
def test_each_hash_is_in_one_segment(total: int, hash: bytes) -> None:
    number = int.from_bytes(hash, "big") * total // keys.HASH_VALUES
    found = [n for n in range(max(0, number - 2), min(total, number + 3)) if _within(keys.segment(n, total), hash)]
    assert len(found) == 1


def _within(bounds: tuple[bytes, bytes], hash: bytes) -> bool:
    return bounds[0] <= hash + b"\x02key" < bounds[1]
