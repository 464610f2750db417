"""The zone of a name: the one with the longest domain that the name is within, found with few reads."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core import Transaction
from cloudlet.services.route53.names import Labels, format_name, is_within, to_sort_key
from cloudlet.services.route53.zones import SERVED, find_closest


class Rows:
    """Rows in order, and how often they were read."""

    def __init__(self, domains: list[Labels]) -> None:
        self.keys = sorted(SERVED.key("", to_sort_key(domain), 1, "Z") for domain in domains)
        self.reads = 0

    async def range(self, begin: bytes, end: bytes, *, limit: int, reverse: bool) -> list[tuple[bytes, bytes]]:
        assert reverse
        self.reads += 1
        return [(key, b"") for key in reversed(self.keys) if begin <= key < end][:limit]


def find(rows: Rows, name: Labels) -> str | None:
    return asyncio.run(find_closest(cast("Transaction", cast("Any", rows)), "", name))


LABELS = st.sampled_from([b"a", b"a-b", b"b", b"ab", b"*", b"a.b", b"\x00", b"\xff"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(tuple)


@given(st.lists(NAMES, max_size=12), NAMES)
def test_it_is_the_longest_of_those_above(domains: list[Labels], name: Labels) -> None:
    above = [domain for domain in domains if is_within(name, domain)]
    wanted = format_name(max(above, key=len)) if above else None
    assert find(Rows(domains), name) == wanted


def test_long_names_take_few_reads() -> None:
    rows = Rows([(b"shop", b"example"), (b"example",), (b"test",)])
    assert find(rows, (*[b"x"] * 120, b"shop", b"example")) == "shop.example."
    assert find(rows, (*[b"x"] * 120, b"net")) is None
    assert rows.reads <= 3
