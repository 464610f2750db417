"""Parts of the events that functions get for HTTP requests, be they behind API Gateway or have a URL of their own.

API Gateway's developer guide, "Create AWS Lambda proxy integrations for HTTP APIs"; Lambda's, "Invoking Lambda function
URLs", "Request and response payloads".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

_TEXT = ("application/json", "application/javascript", "application/xml")


def _is_text(content_type: str, coding: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if coding not in ("", "identity"):
        return False
    return kind == "" or kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml"))


def body(content: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
    """Return a request's body as events have it, and whether that is base64."""
    if _is_text(headers.get("content-type", ""), headers.get("content-encoding", "")):
        try:
            return content.decode(), False
        except UnicodeDecodeError:
            pass
    return b64encode(content).decode(), True


def cookies(headers: Mapping[str, str]) -> list[str]:
    """Return the cookies of a request."""
    return [cookie.strip() for cookie in headers.get("cookie", "").split(";") if cookie.strip()]


def combined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name; the values of one that is repeated are joined by commas."""
    result: dict[str, str] = {}
    for key, value in pairs:
        result[key] = f"{result[key]},{value}" if key in result else value
    return result


def iam_authorizer(access_key: str, account: str, user_id: str, arn: str) -> dict[str, object]:
    """Return what is told of who has signed a request."""
    return {
        "accessKey": access_key,
        "accountId": account,
        "callerId": user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": arn,
        "userId": user_id,
    }
