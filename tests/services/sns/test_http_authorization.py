"""Answers to challenges of endpoints: the examples of RFC 7616, and what else an endpoint may ask for."""

from __future__ import annotations

import hashlib

import pytest

from cloudlet.services.sns import http_authorization
from cloudlet.services.sns.http_authorization import Challenge, answer, challenges

_URL = "https://Mufasa:Circle%20of%20Life@www.example.org/dir/index.html"
_TARGET = "/dir/index.html"
_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
_ASKED = f'realm="http-auth@example.org", qop="auth, auth-int", nonce="{_NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny"'


def test_a_header_may_have_several_challenges() -> None:
    assert challenges(r'Basic, Digest realm="a \"b\", c", stale=FALSE,nonce = "n" , Negotiate abc==, Bearer') == [
        Challenge("basic", {}),
        Challenge("digest", {"realm": 'a "b", c', "stale": "FALSE", "nonce": "n"}),
        Challenge("negotiate", {}),
        Challenge("bearer", {}),
    ]


@pytest.mark.parametrize(
    "header", ["", ",,", '"', "=", 'a="', "Basic =", "\\", "é", 'Digest nonce="\\', "a" * 200_000 + "é", "a " * 100_000]
)
def test_any_header_is_read(header: str) -> None:
    challenges(header)
    answer([header], _URL, _TARGET, b"")


def test_a_long_header_takes_linear_time() -> None:
    assert challenges("a" * 200_000 + "é") == []
    assert len(challenges("a " * 100_000)) == 100_000


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess", "SHA-256-sess", None])
@pytest.mark.parametrize("protection", ["auth", "auth-int", None])
def test_a_digest_proves_the_password(
    algorithm: str | None, protection: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_authorization, "random_bytes", lambda count: b"\x01" * count)
    once = "01" * 16
    asked = f'Digest realm="r", nonce="n"{f", algorithm={algorithm}" if algorithm else ""}'
    asked += f', qop="{protection}"' if protection else ""

    def hashed(text: str) -> str:
        return hashlib.new("sha256" if algorithm and "256" in algorithm else "md5", text.encode()).hexdigest()

    secret = hashed("Mufasa:r:Circle of Life")
    if algorithm and algorithm.endswith("sess"):
        secret = hashed(f"{secret}:n:{once}")
    request = hashed(f"POST:{_TARGET}:{hashed('body')}" if protection == "auth-int" else f"POST:{_TARGET}")
    counted = f"00000001:{once}:{protection}:" if protection else ""
    said = answer([asked], _URL, _TARGET, b"body")
    assert said is not None
    assert f'response="{hashed(f"{secret}:n:{counted}{request}")}"' in said


def test_the_better_hash_is_taken() -> None:
    headers = [f"Digest {_ASKED}, algorithm=MD5", f"Digest {_ASKED}, algorithm=SHA-256", "Basic realm=r"]
    said = answer(headers, _URL, _TARGET, b"")
    assert said is not None
    assert "algorithm=SHA-256" in said
    assert "Life" not in said


@pytest.mark.parametrize(
    "header", ["Bearer", 'Digest realm="r"', 'Digest nonce="n", algorithm=SHA-512-256', 'Digest nonce="n", qop="other"']
)
def test_what_is_not_known_is_not_answered(header: str) -> None:
    assert answer([header], _URL, _TARGET, b"") is None
    assert answer(["Basic"], "https://www.example.org/", "/", b"") is None


def test_a_name_of_any_letters_is_told() -> None:
    said = answer(['Digest realm="r", nonce="n"'], "https://J%C3%A4s%C3%B8n:p@example.org/", "/", b"")
    assert said is not None
    assert "username*=UTF-8''J%C3%A4s%C3%B8n" in said
