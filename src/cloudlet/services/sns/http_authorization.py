"""The name and the password of an endpoint's URL, for an endpoint that asks for them: Basic and Digest.

RFC 7617 and RFC 7616, which take the place of RFC 2617 that the Developer Guide names ("Fanout Amazon SNS
notifications to HTTPS endpoints"). Where an endpoint has the choice, Digest is taken, by the better hash.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from cloudlet.core.kernel.ids import random_bytes

_CHARACTER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_WORD = rf"(?<!{_CHARACTER}){_CHARACTER}++"
# Nothing is tried in two ways: what an endpoint answers is to take no more than linear time.
_PART = re.compile(
    rf'(?P<name>{_WORD})\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>{_WORD})(?=\s*+(?:,|$)))'
    rf"|(?P<scheme>{_WORD})(?=\s|,|$)"
)
_ESCAPED = re.compile(r"\\(.)")
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda text: hashlib.sha256(text).hexdigest(),
    "MD5": lambda text: hashlib.md5(text, usedforsecurity=False).hexdigest(),
}
"""Those that are known, the better one first."""
_SESSION = "-SESS"
_COUNT = "00000001"
"""Of requests with a nonce: each is answered by a nonce of its own."""


class Challenge(NamedTuple):
    """What an endpoint asks for. Scheme and names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str]


class _User(NamedTuple):
    name: str
    password: str


def answer(headers: Iterable[str], url: str, target: str, body: bytes) -> str | None:
    """Return the Authorization header for a POST to a URL, which the endpoint's `WWW-Authenticate` headers ask for.

    `target` is what the request line says. None where the URL has no name, or nothing is asked for that is known.
    """
    user = _user(url)
    if user is None:
        return None
    asked = [challenge for header in headers for challenge in challenges(header)]
    for algorithm in _HASHES:
        for challenge in asked:
            if challenge.scheme == "digest" and _algorithm(challenge).removesuffix(_SESSION) == algorithm:
                found = _digest(challenge, user, target, body)
                if found is not None:
                    return found
    return _basic(user) if any(challenge.scheme == "basic" for challenge in asked) else None


def challenges(header: str) -> list[Challenge]:
    """Return what a `WWW-Authenticate` header asks for: there may be several in one."""
    found: list[Challenge] = []
    for part in _PART.finditer(header):
        if part["scheme"]:
            found.append(Challenge(part["scheme"].lower(), {}))
        elif found:
            quoted = part["quoted"]
            value = part["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
            found[-1].parameters[part["name"].lower()] = value
    return found


def _user(url: str) -> _User | None:
    parts = urlsplit(url)
    return None if parts.username is None else _User(unquote(parts.username), unquote(parts.password or ""))


def _basic(user: _User) -> str:
    return f"Basic {b64encode(f'{user.name}:{user.password}'.encode()).decode()}"


def _algorithm(challenge: Challenge) -> str:
    return challenge.parameters.get("algorithm", "MD5").upper()


def _digest(challenge: Challenge, user: _User, target: str, body: bytes) -> str | None:
    """Return the answer to a challenge; None where that has no nonce, or asks for a protection that is not known."""
    asked = challenge.parameters
    nonce, realm = asked.get("nonce"), asked.get("realm", "")
    protections = [each.strip().lower() for each in asked["qop"].split(",")] if "qop" in asked else []
    protection = next((each for each in ("auth", "auth-int") if each in protections), None)
    if nonce is None or (protections and protection is None):
        return None
    algorithm = _algorithm(challenge)
    digest = _HASHES[algorithm.removesuffix(_SESSION)]

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode())

    client_nonce = random_bytes(16).hex()
    secret = hashed(user.name, realm, user.password)
    if algorithm.endswith(_SESSION):
        secret = hashed(secret, nonce, client_nonce)
    request = hashed("POST", target, digest(body)) if protection == "auth-int" else hashed("POST", target)
    counted = [] if protection is None else [_COUNT, client_nonce, protection]
    fields = [
        _name(user.name),
        f"realm={_quoted(realm)}",
        f"nonce={_quoted(nonce)}",
        f"uri={_quoted(target)}",
        f'response="{hashed(secret, nonce, *counted, request)}"',
    ]
    if "algorithm" in asked:
        fields.append(f"algorithm={asked['algorithm']}")
    if "opaque" in asked:
        fields.append(f"opaque={_quoted(asked['opaque'])}")
    if protection is not None:
        fields += [f"qop={protection}", f"nc={_COUNT}"]
    if protection is not None or algorithm.endswith(_SESSION):
        fields.append(f'cnonce="{client_nonce}"')
    return "Digest " + ", ".join(fields)


def _name(name: str) -> str:
    return f"username={_quoted(name)}" if name.isascii() else f"username*=UTF-8''{quote(name, safe='')}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
