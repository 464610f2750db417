"""What is given up of too many processes that are kept."""

from __future__ import annotations

import pytest

from cloudlet.services.lambda_.execution.surplus import surplus


@pytest.mark.parametrize(
    ("kept", "most", "given_up"),
    [
        ([], 2, set()),
        (["a1", "a2"], 2, set()),
        (["a1", "a2", "a3"], 2, {"a1"}),
        (["b1", "a1", "a2", "a3"], 2, {"a1", "a2"}),
        (["b1", "a1", "c1", "a2", "b2"], 3, {"a1", "b1"}),
    ],
)
def test_who_has_most_gives_up_what_was_wanted_longest_ago(kept: list[str], most: int, given_up: set[str]) -> None:
    assert surplus(kept, lambda each: each[0], most) == given_up


def test_of_accounts_that_have_equally_many_the_oldest_goes() -> None:
    assert surplus(["a", "b", "c"], str, 2) == {"a"}
    assert surplus(["a1", "b1", "b2", "a2", "c1"], lambda each: each[0], 3) == {"a1", "b1"}
