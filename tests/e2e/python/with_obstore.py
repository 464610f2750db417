"""obstore, Rust's object_store in Python, on which Polars, delta-rs, DataFusion and LanceDB are built, too.

Run by tests/e2e/test_python.py with the clients' Python.
"""

from __future__ import annotations

import os
import urllib.request
from datetime import timedelta

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError
from obstore.store import S3Store

MIB = 2**20
ODD = "a/b c+d%25 ü.txt"


@pytest.fixture(params=[None, "sha256"])
def store(request: pytest.FixtureRequest) -> S3Store:
    more = {"checksum_algorithm": request.param} if request.param else {}
    # It reads the endpoint from the environment, and has to be told that plain HTTP will do.
    return S3Store(os.environ["BUCKET"], prefix=f"of-{request.param}", client_options={"allow_http": True}, **more)


def test_writes_hold_under_conditions(store: S3Store) -> None:
    first = store.put(ODD, b"one", attributes={"Content-Type": "text/plain", "who": "ann"}, mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put(ODD, b"again", mode="create")
    store.put(ODD, b"two", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        store.put(ODD, b"three", mode={"e_tag": first["e_tag"]})
    assert store.get(ODD).bytes() == b"two"
    with pytest.raises(NotModifiedError):
        store.get(ODD, options={"if_none_match": store.head(ODD)["e_tag"]})


def test_parts_and_ranges(store: S3Store) -> None:
    body = os.urandom(11 * MIB + 5)
    store.put("big", body, use_multipart=True, chunk_size=5 * MIB)
    assert store.get("big").bytes() == body
    starts = [0, 6 * MIB, len(body) - 100]
    assert [bytes(part) for part in store.get_ranges("big", starts=starts, lengths=[100] * 3)] == [
        body[start : start + 100] for start in starts
    ]
    store.copy("big", "copy")
    store.rename("copy", "moved")
    assert store.head("moved")["size"] == len(body)


def test_lists_and_signed_addresses(store: S3Store) -> None:
    names = [f"many/{number:02}/x" for number in range(30)]
    for name in names:
        store.put(name, b"")
    assert sorted(each["path"] for page in store.list("many") for each in page) == names
    assert len(store.list_with_delimiter("many")["common_prefixes"]) == 30
    store.delete(names)
    assert list(store.list("many")) == []
    address = obstore.sign(store, "PUT", ODD, timedelta(minutes=1))
    urllib.request.urlopen(urllib.request.Request(address, b"signed", method="PUT"))
    assert store.get(ODD).bytes() == b"signed"
