"""The few calls around a measurement: is it up; of SQS a fresh queue, and how many messages are in it."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks.signing import CONTENT_TYPE, Key, Signer


class CallFailed(Exception):
    """A call that was not answered with 200."""


class JsonApi:
    """A service of AWS's JSON protocol at `host` ("127.0.0.1:4566"), called with `key`.

    `probe` is an operation that needs no parameters and that even an empty server answers.
    """

    def __init__(
        self, host: str, key: Key, service: str, target_prefix: str, probe: str, content_type: str = CONTENT_TYPE
    ) -> None:
        self.host = host
        self.signer = Signer(key, host, service, target_prefix, content_type=content_type)
        self._forger = Signer(replace(key, secret="wrong"), host, service, target_prefix, content_type=content_type)
        self._probe = probe

    def call(self, operation: str, parameters: Mapping[str, object]) -> dict[str, object]:
        """The answer of one call on a connection of its own; CallFailed if it is not 200."""
        status, answer = self._post(self.signer, operation, parameters)
        if status != 200:
            raise CallFailed(f"{operation}: {status} {answer[:300]!r}")
        decoded: dict[str, object] = json.loads(answer or b"{}")
        return decoded

    def wait_until_up(self, timeout: float, alive: Callable[[], bool]) -> None:
        """Returns with the first probe that is answered; CallFailed after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while True:
            try:
                self.call(self._probe, {})
            except (OSError, http.client.HTTPException, CallFailed) as error:
                if not alive():
                    raise CallFailed("the server ended by itself") from error
                if time.monotonic() > give_up:
                    raise CallFailed(f"no answer within {timeout:.0f} s: {error}") from error
                time.sleep(0.001)
            else:
                return

    def verifies_signatures(self) -> bool:
        """Whether a request signed with the wrong secret is refused."""
        status, _ = self._post(self._forger, self._probe, {})
        return status in (400, 403)

    def _post(self, signer: Signer, operation: str, parameters: Mapping[str, object]) -> tuple[int, bytes]:
        body = json.dumps(parameters).encode()
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request("POST", "/", body, signer.headers(operation, body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class SqsApi(JsonApi):
    """SQS at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        super().__init__(host, key, "sqs", "AmazonSQS", "ListQueues")

    def create_queue(self, name: str) -> str:
        """The URL of a fresh queue."""
        return str(self.call("CreateQueue", {"QueueName": name})["QueueUrl"])

    def delete_queue(self, url: str) -> None:
        """Deletes the queue and all that is in it."""
        self.call("DeleteQueue", {"QueueUrl": url})

    def arn(self, url: str) -> str:
        """The ARN of the queue."""
        attributes = self.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})["Attributes"]
        assert isinstance(attributes, dict)
        return str(attributes["QueueArn"])

    def count_messages(self, url: str) -> int:
        """All messages in the queue, those in flight too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names})["Attributes"]
        assert isinstance(attributes, dict)
        return sum(int(attributes[name]) for name in names)
