"""The cache of a stage takes no more memory than it may."""

from __future__ import annotations

import gc

from cloudlet.services.apigateway.rest import caching
from cloudlet.services.apigateway.rest.caching import Cache, Entry


def _entry(size: int, ends: float = 100.0) -> Entry:
    return Entry(ends, 200, (("content-type", "text/plain"),), b"x" * size)


def test_what_is_kept_ends() -> None:
    cache = Cache("123456789012")
    cache.keep(("a",), _entry(10))
    assert cache.get(("a",), 99.0) == _entry(10)
    assert cache.get(("a",), 100.0) is None
    assert cache.get(("a",), 99.0) is None


def test_the_oldest_go() -> None:
    cache = Cache("123456789012")
    for number in range(40):
        cache.keep((str(number),), _entry(1_000_000))
    known = [number for number in range(40) if cache.get((str(number),), 0.0) is not None]
    assert known == list(range(24, 40))
    cache.keep(("large",), _entry(2_000_000))
    assert cache.get(("large",), 0.0) is None


def test_all_caches_share_some_room() -> None:
    before = caching._all.used
    caches = [Cache(account * 12) for account in "1234" for _ in range(3)]
    for cache in caches:
        for number in range(16):
            cache.keep((str(number),), _entry(1_000_000))
    assert before < caching._all.used <= 128 << 20
    del cache, caches
    gc.collect()
    assert caching._all.used == before


def test_the_caches_of_an_account_have_half_of_the_room() -> None:
    caches = [Cache("1" * 12) for _ in range(6)]
    for cache in caches:
        for number in range(16):
            cache.keep((str(number),), _entry(1_000_000))
    assert caches[0]._of_account.used <= 64 << 20
    other = Cache("2" * 12)
    other.keep(("a",), _entry(1_000_000))
    assert other.get(("a",), 0.0) is not None
    del cache, caches, other
    gc.collect()
    assert not caching._of_accounts
