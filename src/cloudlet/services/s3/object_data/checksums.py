"""Checksums of objects and their parts.

S3 user guide, "Checking object integrity for data uploads in Amazon S3". An object has one checksum. That of an object
in parts is either of all its bytes (full object), which for CRCs can be had from those of the parts, or
one of the parts' checksums (composite).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from cloudlet.core import AwsError, Params
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data.objects import Checksum
from cloudlet.wire import HttpRequest, Operation
from cloudlet.wire.trailed import TrailedBody

if TYPE_CHECKING:
    from awscrt.checksums import XXHash

FULL_OBJECT: Final = "FULL_OBJECT"
COMPOSITE: Final = "COMPOSITE"
DEFAULT: Final = "CRC64NVME"
"""What S3 computes of an object that comes without a checksum."""
_HEADER: Final = "x-amz-checksum-"
_ABOUT: Final = frozenset(f"{_HEADER}{name}" for name in ("algorithm", "mode", "type"))
"""What else begins so, and is no checksum."""


class Hash(Protocol):
    """A checksum that is being computed."""

    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    def __init__(self, state: XXHash) -> None:
        self._state = state

    def update(self, data: bytes, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        digest: bytes = self._state.finalize()
        return digest


@dataclass(frozen=True)
class Algorithm:
    """What there is to know of an algorithm; `combine` gives the CRC of two stretches from theirs."""

    new: Callable[[], Hash]
    size: int
    combine: Callable[[int, int, int], int] | None = None
    composite: bool = True


@cache
def _crt() -> Any:
    """The library of AWS: 5 MiB, and a while to load, for those who bring or ask for what Python's has not."""
    from awscrt import checksums

    return checksums


def _combined(name: str) -> Callable[[int, int, int], int]:
    def combine(first: int, second: int, size: int) -> int:
        crc: int = getattr(_crt(), f"combine_{name}")(first, second, size)
        return crc

    return combine


def _md5() -> Hash:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Hash:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    "CRC32": Algorithm(lambda: _Crc(zlib.crc32, 4), 4, _combined("crc32")),
    "CRC32C": Algorithm(lambda: _Crc(_crt().crc32c, 4), 4, _combined("crc32c")),
    "CRC64NVME": Algorithm(lambda: _Crc(_crt().crc64nvme, 8), 8, _combined("crc64nvme"), composite=False),
    "SHA1": Algorithm(_sha1, 20),
    "SHA256": Algorithm(hashlib.sha256, 32),
    "SHA512": Algorithm(hashlib.sha512, 64),
    "MD5": Algorithm(_md5, 16),
    "XXHASH64": Algorithm(lambda: _XxHash(_crt().XXHash.new_xxhash64()), 8),
    "XXHASH3": Algorithm(lambda: _XxHash(_crt().XXHash.new_xxhash3_64()), 8),
    "XXHASH128": Algorithm(lambda: _XxHash(_crt().XXHash.new_xxhash3_128()), 16),
}
_MEMBERS: Final = {f"Checksum{name}": name for name in ALGORITHMS}
_STATING: Final = frozenset((*_MEMBERS, "ChecksumAlgorithm"))


def member(algorithm: str) -> str:
    """Return the name of the members of requests and answers that carry a checksum of this algorithm."""
    return f"Checksum{algorithm}"


def to_api(checksum: Checksum | None) -> dict[str, str]:
    """Return a checksum as the members of an answer."""
    if checksum is None:
        return {}
    return {member(checksum.algorithm): checksum.value, "ChecksumType": checksum.type}


def text(digest: bytes) -> str:
    """Return a digest as requests and answers carry it."""
    return base64.b64encode(digest).decode()


class Stated:
    """What a request says of its body: an algorithm, and the checksum, unless that comes behind the body."""

    __slots__ = ("algorithm", "value")

    def __init__(self, algorithm: str, value: str | None) -> None:
        self.algorithm = algorithm
        self.value = value


def stated(params: Params, headers: dict[str, str]) -> Stated | None:
    """Return the checksum that a request gives or announces. Raises AwsError for more than one, or a malformed one."""
    if "x-amz-trailer" not in headers and params.keys().isdisjoint(_STATING):
        if any(name.startswith(_HEADER) and name not in _ABOUT for name in headers):
            raise errors.invalid_request("The algorithm type you specified in x-amz-checksum- header is invalid.")
        return None
    given = [(name, params[key]) for key, name in _MEMBERS.items() if key in params]
    trailers = [each.strip().lower() for each in headers.get("x-amz-trailer", "").split(",") if each.strip()]
    announced = [each.removeprefix(_HEADER).upper() for each in trailers if each.startswith(_HEADER)]
    asked = params.get("ChecksumAlgorithm")
    if len(given) + len(announced) > 1:
        raise errors.invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if not given and not announced:
        if asked is None or headers.get("x-amz-sdk-checksum-algorithm") is None:
            return None
        raise _make_missing_checksum_error()
    algorithm, value = given[0] if given else (announced[0], None)
    if algorithm not in ALGORITHMS:
        raise errors.invalid_request("The value specified in the x-amz-trailer header is not supported")
    if asked is not None and asked != algorithm:
        raise errors.invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if value is not None:
        check_form(algorithm, value)
    return Stated(algorithm, value)


def _make_missing_checksum_error() -> AwsError:
    return errors.invalid_request(
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
        "were found."
    )


def check_form(algorithm: str, value: str) -> None:
    """Raise AwsError unless a value can be a checksum of this algorithm."""
    if len(_decoded(value)) != ALGORITHMS[algorithm].size:
        raise errors.invalid_request(f"Value for {_HEADER}{algorithm.lower()} header is invalid.")


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def trailing(body: Any, algorithm: str) -> str:
    """Return the checksum that came behind a body that has been read. Raises AwsError where there is none."""
    trailers = body.trailers if isinstance(body, TrailedBody) else {}
    value = trailers.get(f"{_HEADER}{algorithm.lower()}")
    if value is None:
        raise AwsError(
            "MalformedTrailerError",
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
            status=400,
        )
    check_form(algorithm, value)
    return value


def check(algorithm: str, expected: str, digest: bytes) -> None:
    """Raise BadDigest unless a body's checksum is the one that was stated."""
    if _decoded(expected) != digest:
        raise AwsError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.", status=400)


def check_document(operation: Operation, request: HttpRequest) -> None:
    """Raise AwsError where a document is not the one that Content-MD5 or x-amz-checksum-* tell of.

    API reference, "DeleteObjects": it has to have one of them.
    """
    headers, body = request.headers, request.body
    if not body or not isinstance(body, bytes) or operation.streaming_input:
        return
    expected = content_md5(headers.get("content-md5"))
    if expected is not None:
        check_md5(expected, hashlib.md5(body, usedforsecurity=False).digest())
    # CompleteMultipartUpload tells of the object there, as the model says.
    about_object = operation.input_shape.members if operation.input_shape is not None else {}
    is_stated = "x-amz-trailer" in headers
    for name, known in ALGORITHMS.items():
        value = headers.get(f"{_HEADER}{name.lower()}")
        if value is not None and member(name) not in about_object:
            check_form(name, value)
            hashed = known.new()
            hashed.update(body)
            check(name, value, hashed.digest())
            is_stated = True
    if "x-amz-sdk-checksum-algorithm" in headers and not is_stated:
        raise _make_missing_checksum_error()
    if operation.name == "DeleteObjects" and not is_stated and expected is None:
        raise errors.invalid_request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")


def content_md5(value: str | None) -> bytes | None:
    """Return the digest that Content-MD5 states, or None. Raises InvalidDigest."""
    if value is None:
        return None
    digest = _decoded(value)
    if len(digest) != 16:
        raise AwsError(
            "InvalidDigest", "The Content-MD5 you specified was invalid.", status=400, **{"Content-MD5": value}
        )
    return digest


def check_md5(expected: bytes | None, digest: bytes) -> None:
    """Raise BadDigest unless a body's MD5 is the one that Content-MD5 stated, if it did."""
    if expected is not None and expected != digest:
        raise AwsError(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            status=400,
            ExpectedDigest=text(expected),
            CalculatedDigest=text(digest),
        )


def type_of_upload(algorithm: str, asked: str | None) -> str:
    """Return the type of the checksum of a multipart upload. Raises AwsError for one that its algorithm has not."""
    known = ALGORITHMS[algorithm]
    if asked is None:
        return COMPOSITE if known.composite else FULL_OBJECT
    if (asked == COMPOSITE and not known.composite) or (asked == FULL_OBJECT and known.combine is None):
        raise errors.invalid_request(
            f"The {asked} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    return asked


def of_parts(algorithm: str, kind: str, parts: Iterable[tuple[str, int]]) -> Checksum:
    """Return the checksum of an object from those (base64) of its parts and their sizes."""
    listed = list(parts)
    known = ALGORITHMS[algorithm]
    if kind == COMPOSITE:
        hashed = known.new()
        for value, _ in listed:
            hashed.update(_decoded(value))
        return Checksum(algorithm, f"{text(hashed.digest())}-{len(listed)}", COMPOSITE)
    if known.combine is None:
        raise ValueError(f"{algorithm} has no full-object checksum of parts")
    total = 0
    for value, size in listed:
        total = known.combine(total, int.from_bytes(_decoded(value), "big"), size)
    return Checksum(algorithm, text(total.to_bytes(known.size, "big")), FULL_OBJECT)
