"""What the answer of a function that serves HTTP says.

API Gateway's developer guide, "Lambda function response for format 1.0" and "… 2.0"; function URLs have the latter.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Any

import msgspec

from cloudlet.wire import HttpResponse

_OWN = frozenset(
    ("connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer")
)
"""Headers that the server itself sets."""
_TEXT = "text/plain;charset=UTF-8"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
"""RFC 9110, section 5.1."""
_decode = msgspec.json.Decoder().decode


class MalformedResponse(Exception):
    """No response can be made of it; the text says why."""


def parse(payload: bytes, version: str, default_type: str = _TEXT) -> HttpResponse:
    """Return the response that a function's answer stands for; `default_type` is its content type where it says none.

    Raises BadAnswer.
    """
    try:
        answer = _decode(payload or b"null")
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"The response from the Lambda function is not JSON: {error}") from error
    if isinstance(answer, dict) and "statusCode" in answer:
        return _structured(answer, version, default_type)
    if version == "1.0":
        raise MalformedResponse(
            "The response from the Lambda function doesn't match the format that API Gateway expects."
        )
    body = answer.encode() if isinstance(answer, str) else payload or b"null"
    return HttpResponse(200, [("content-type", "application/json")], body)


def _structured(answer: dict[str, Any], version: str, default_type: str) -> HttpResponse:
    headers = [(name.lower(), text(value)) for name, value in (_map(answer, "headers")).items()]
    if version == "1.0":
        many = {name.lower(): values for name, values in _map(answer, "multiValueHeaders").items()}
        headers = [pair for pair in headers if pair[0] not in many]
        headers += [(name, text(value)) for name, values in many.items() for value in _list(values)]
    else:
        headers += [("set-cookie", text(cookie)) for cookie in _list(answer.get("cookies"))]
    headers = [pair for pair in headers if pair[0] not in _OWN]
    if not all(_NAME.fullmatch(name) for name, _ in headers):
        raise MalformedResponse("The response from the Lambda function has a header that HTTP does not know")
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", default_type))
    return HttpResponse(_status(answer["statusCode"]), headers, decode_body(answer))


def _status(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise MalformedResponse("The statusCode of the response from the Lambda function is not valid")
    return value


def _map(answer: dict[str, Any], name: str) -> dict[str, Any]:
    value = answer.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedResponse(f"{name} of the response from the Lambda function is not a map")
    return value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedResponse("The response from the Lambda function has a value where a list is expected")
    return value


def text(value: Any) -> str:
    """Return a value as headers have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float, bool)):
        return msgspec.json.encode(value).decode()
    raise MalformedResponse("A header of the response from the Lambda function is not text")


def decode_body(answer: dict[str, Any]) -> bytes:
    """Return the body of an answer. Raises MalformedResponse."""
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse("The body of the response from the Lambda function is not text")
    if not answer.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedResponse("The body of the response from the Lambda function is not base64") from None
