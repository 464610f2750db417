"""A service of AWS's REST protocol with JSON: its calls around a measurement, and the requests that are measured."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.api import CallFailed
from benchmarks.s3_api import head
from benchmarks.signing import Key

REGION = "us-east-1"
_TIMEOUT_SECONDS = 60


class RestApi:
    """A service at `host` ("127.0.0.1:4566"), called with `key`."""

    def __init__(self, host: str, key: Key, service: str) -> None:
        self.host = host
        self._key = key
        self._service = service

    def request(self, method: str, target: str, body: bytes = b"") -> bytes:
        """A whole request, signed by botocore now."""
        return head(method, target, self._headers(method, target, body), len(body)) + body

    def send(self, method: str, target: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        """The headers (in lower case) and the body of an answer, on a connection of its own.

        CallFailed if it is not of success.
        """
        connection = http.client.HTTPConnection(self.host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, target, body, self._headers(method, target, body))
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise CallFailed(f"{method} {target}: {error!r}") from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise CallFailed(f"{method} {target}: {answer.status} {text[:300]!r}")
        return {name.lower(): value for name, value in answer.headers.items()}, text

    def call(self, method: str, target: str, parameters: Mapping[str, object] | None = None) -> dict[str, Any]:
        """What a call answers; CallFailed if it is not success."""
        body = b"" if parameters is None else json.dumps(parameters).encode()
        answer: dict[str, Any] = json.loads(self.send(method, target, body)[1] or b"{}")
        return answer

    def _headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        headers = {"Host": self.host, "Content-Type": "application/json"}
        request = AWSRequest(method, f"http://{self.host}{target}", data=body, headers=headers)
        SigV4Auth(Credentials(self._key.key_id, self._key.secret), self._service, REGION).add_auth(request)
        return dict(request.headers.items())
