"""Numbers: canonical text, exact sums, and what 38 digits cannot hold."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.item_data import numbers
from tests.services.dynamodb.expressions.refusals import refused

_WIDE = Context(prec=400, Emax=999, Emin=-999)


def _in_range(value: Decimal) -> bool:
    return value == 0 or -130 <= value.adjusted() <= 125


@st.composite
def storable(draw: st.DrawFn) -> Decimal:
    """Return a number that DynamoDB can keep."""
    digits = draw(st.integers(-(10**38) + 1, 10**38 - 1))
    exponent = draw(st.integers(-60, 60) | st.integers(-167, 125))
    value = _WIDE.create_decimal(digits).scaleb(exponent, _WIDE)
    return value if _in_range(value) else Decimal(digits)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("1", "1"),
        ("-5", "-5"),
        ("0", "0"),
        ("-0", "0"),
        ("0e999", "0"),
        ("007", "7"),
        ("+3", "3"),
        ("1.10", "1.1"),
        ("100.000", "100"),
        ("1.5e2", "150"),
        ("123e-2", "1.23"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-.5", "-0.5"),
        ("1E+125", "1" + "0" * 125),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("0.1e126", "1" + "0" * 125),
        ("12345678901234567890123456789012345678000e-3", "12345678901234567890123456789012345678"),
    ],
)
def test_a_number_is_kept_in_plain_notation_without_needless_zeros(given: str, kept: str) -> None:
    assert numbers.canonical(given) == kept


@pytest.mark.parametrize(
    "given", ["", " 1", "1 ", "1\n", "NaN", "Infinity", "1_000", "--1", ".", "e5", "1e", "0x1", "१"]
)
def test_what_is_no_number_is_refused(given: str) -> None:
    assert refused(numbers.canonical, given).startswith("The parameter cannot be converted to a numeric value")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("-11e125", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        (
            "1e99999999999999999999",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        (
            "1e-99999999999999999999",
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
    ],
)
def test_what_does_not_fit_is_refused(given: str, message: str) -> None:
    assert refused(numbers.canonical, given) == message


@given(storable())
def test_canonical_text_has_the_same_value_and_is_canonical_itself(value: Decimal) -> None:
    for written in (str(value), format(value, "f"), f"{value:E}"):
        kept = numbers.canonical(written)
        assert Decimal(kept) == value
        assert numbers.canonical(kept) == kept
        assert "e" not in kept.lower()


@given(storable(), storable())
def test_numbers_compare_by_their_value(one: Decimal, other: Decimal) -> None:
    order = numbers.compare(numbers.canonical(str(one)), numbers.canonical(str(other)))
    assert (order > 0, order < 0) == (one > other, one < other)


@given(storable(), storable(), st.sampled_from(["add", "subtract"]))
def test_sums_are_exact_or_refused(one: Decimal, other: Decimal, operation: str) -> None:
    left, right = numbers.canonical(str(one)), numbers.canonical(str(other))
    exact = _WIDE.add(one, other) if operation == "add" else _WIDE.subtract(one, other)
    fits = exact == 0 or (len("".join(map(str, exact.as_tuple().digits)).strip("0")) <= 38 and _in_range(exact))
    try:
        result = getattr(numbers, operation)(left, right)
    except AwsError:
        assert not fits
    else:
        assert fits
        assert Decimal(result) == exact


@pytest.mark.parametrize(
    ("number", "size"),
    [
        ("0", 1),
        ("1", 2),
        ("-1", 3),
        ("12", 2),
        ("100", 2),
        ("1000", 2),
        ("123", 3),
        ("0.01", 2),
        ("0.5", 2),
        ("1.5", 3),
        ("9" * 38, 20),
        ("-" + "9" * 38, 21),
        ("1" + "0" * 125, 2),
    ],
)
def test_a_number_counts_a_byte_for_two_digits_and_one_more(number: str, size: int) -> None:
    assert numbers.size(number) == size


@given(storable())
def test_digits_pair_up_around_the_decimal_point(value: Decimal) -> None:
    kept = numbers.canonical(str(value))
    whole, _, fraction = kept.lstrip("-").partition(".")
    padded = whole.zfill(len(whole) + len(whole) % 2) + fraction.ljust(len(fraction) + len(fraction) % 2, "0")
    pairs = [padded[at : at + 2] for at in range(0, len(padded), 2)]
    used = "".join("0" if pair == "00" else "1" for pair in pairs).strip("0")
    assert numbers.size(kept) == min(21, max(1, len(used) + (value != 0) + (value < 0)))
