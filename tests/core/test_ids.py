"""Random identifiers."""

from __future__ import annotations

import uuid

from cloudlet.core.kernel.ids import random_bytes, uuid4


def test_uuids_are_random_ones_in_their_usual_form() -> None:
    # More than one read of the system's randomness gives.
    made = [uuid4() for _ in range(1000)]
    assert len(set(made)) == 1000
    for each in made:
        read = uuid.UUID(each)
        assert (str(read), read.version, read.variant) == (each, 4, uuid.RFC_4122)
    # Every digit but that of the version takes all values that it may.
    digits = [{each[place] for each in made} for place in range(36)]
    assert [len(found) for found in digits] == [1 if place in (8, 13, 14, 18, 23) else 16 for place in range(19)] + [
        4,
        *[16] * 3,
        1,
        *[16] * 12,
    ]


def test_bytes_are_never_given_twice() -> None:
    made = [random_bytes(8) for _ in range(2000)]
    assert {len(each) for each in made} == {8}
    assert len(set(made)) == 2000
