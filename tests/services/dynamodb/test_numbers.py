"""Numbers are counted with exactly, and measured by their digits to the base of 100."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.item_data import numbers

WHOLE = st.integers(0, 38).flatmap(lambda digits: st.integers(-(10**digits) + 1, 10**digits - 1))
PLACES = st.integers(0, 20)


def text(number: int, places: int) -> str:
    """Return number / 10 ** places as DynamoDB writes it."""
    return numbers.canonical(f"{number}E-{places}")


@given(WHOLE, WHOLE, PLACES)
def test_sums_and_differences_are_exact(left: int, right: int, places: int) -> None:
    for result, compute in ((left + right, numbers.add), (left - right, numbers.subtract)):
        if len(str(abs(result)).strip("0")) > numbers.PRECISION:
            with pytest.raises(AwsError, match="overflow"):
                compute(text(left, places), text(right, places))
        else:
            assert compute(text(left, places), text(right, places)) == text(result, places)


@given(WHOLE, PLACES)
def test_a_number_takes_a_byte_for_two_digits_and_one_or_two_more(number: int, places: int) -> None:
    digits = abs(number) * 10 ** (places % 2)
    pairs = 0
    while digits and not digits % 100:
        digits //= 100
    while digits:
        pairs, digits = pairs + 1, digits // 100
    assert numbers.size(text(number, places)) == min(pairs + 1 + (number < 0), 21)
