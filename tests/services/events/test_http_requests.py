"""Requests to HTTP endpoints, and what their answers mean, without any HTTP."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudlet.engines.http_client import HttpResponse
from cloudlet.services.events import http_request, http_sending, invoking
from cloudlet.services.events.connection import merged, public
from cloudlet.services.events.failure import DeliveryError

NOW = 1_700_000_000.0
BLOCK: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW))


def answer(status: int, body: bytes = b"", **headers: str) -> HttpResponse:
    return HttpResponse(status, [(name.replace("_", "-"), value) for name, value in headers.items()], body)


@pytest.mark.parametrize(
    ("text", "wait", "permanent"),
    [
        ("0", 0, False),
        ("7", 7, False),
        ("-1", -1, True),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60, False),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0, False),
        ("soon", 0, False),
        ("9" * 400, 0, False),
        ("Tue, 14 Nov 20230000000000 22:00:00 GMT", 0, False),
        ("", 0, False),
        (None, 0, False),
    ],
)
def test_retry_after(text: str | None, wait: float, permanent: bool) -> None:
    headers = {} if text is None else {"retry_after": text}
    for status in (429, 500, 503):
        failed = http_sending.refused(BLOCK, answer(status, **headers))
        assert failed is not None
        assert (failed.wait, failed.permanent) == (wait, permanent)
    # Where nothing is tried again, it does not matter.
    failed = http_sending.refused(BLOCK, answer(404, **headers))
    assert failed is not None
    assert (failed.wait, failed.permanent) == (0, True)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_what_is_accepted(status: int) -> None:
    assert http_sending.refused(BLOCK, answer(status)) is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_request_for_a_token(method: str) -> None:
    parameters = {
        "ClientParameters": {"ClientID": "me", "ClientSecret": "a&b"},
        "AuthorizationEndpoint": "https://id.example/token?a=1",
        "HttpMethod": method,
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "grant_type", "Value": "other"}]},
    }
    request = http_request.for_token(parameters)
    form = {"grant_type": ["other"], "client_id": ["me"], "client_secret": ["a&b"]}
    query = parse_qs(urlsplit(request.url).query)
    assert request.method == method
    if method == "GET":
        assert (query, request.body) == ({"a": ["1"], **form}, b"")
    else:
        assert (query, parse_qs(request.body.decode())) == ({"a": ["1"]}, form)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_answers_are_decompressed(encoding: str, packed: Callable[[bytes], bytes]) -> None:
    assert invoking.content(answer(200, packed(b"text"), content_encoding=encoding)) == b"text"


def test_no_answer_becomes_larger_than_a_mebibyte() -> None:
    assert len(invoking.content(answer(200, gzip.compress(bytes(50 << 20)), content_encoding="gzip"))) == 1 << 20
    with pytest.raises(DeliveryError, match="decompressed"):
        invoking.content(answer(200, b"nonsense", content_encoding="gzip"))


def test_what_a_request_leaves_out_stays_as_it_is() -> None:
    known = {"OAuthParameters": {"ClientParameters": {"ClientID": "a", "ClientSecret": "b"}, "HttpMethod": "POST"}}
    changed = merged(known, {"OAuthParameters": {"ClientParameters": {"ClientSecret": "c"}}})
    assert changed["OAuthParameters"]["ClientParameters"] == {"ClientID": "a", "ClientSecret": "c"}
    assert changed["OAuthParameters"]["HttpMethod"] == "POST"
    assert public(changed)["OAuthParameters"]["ClientParameters"] == {"ClientID": "a"}
