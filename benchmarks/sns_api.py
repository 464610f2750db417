"""The few SNS calls around a measurement, by its query protocol, signed by botocore."""

import http.client
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.api import CallFailed
from benchmarks.signing import Key

REGION = "us-east-1"
_VERSION = "2010-03-31"
_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_TIMEOUT_SECONDS = 60


class SnsApi:
    """SNS at `host` ("127.0.0.1:4566"), called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        self.host = host
        self._key = key

    def request(self, action: str, parameters: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        """Headers and body of a request, signed now."""
        body = urlencode({"Action": action, "Version": _VERSION, **parameters}).encode()
        request = AWSRequest(
            "POST", f"http://{self.host}/", data=body, headers={"Host": self.host, "Content-Type": _TYPE}
        )
        SigV4Auth(Credentials(self._key.key_id, self._key.secret), "sns", REGION).add_auth(request)
        return dict(request.headers.items()), body

    def call(self, action: str, parameters: Mapping[str, str]) -> str:
        """The XML of one call's answer; CallFailed if it is not 200."""
        headers, body = self.request(action, parameters)
        connection = http.client.HTTPConnection(self.host, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise CallFailed(f"{action}: {answer.status} {text[:300]}")
        return text

    def create_topic(self, name: str) -> str:
        """The ARN of a topic."""
        return _element(self.call("CreateTopic", {"Name": name}), "TopicArn")

    def delete_topic(self, arn: str) -> None:
        """Deletes a topic and its subscriptions."""
        self.call("DeleteTopic", {"TopicArn": arn})

    def subscribe(self, topic: str, protocol: str, endpoint: str) -> None:
        """Subscribes an endpoint."""
        self.call("Subscribe", {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint})

    def confirm(self, topic: str, token: str) -> None:
        """Confirms a subscription."""
        self.call("ConfirmSubscription", {"TopicArn": topic, "Token": token})

    def publish(self, topic: str, message: str) -> None:
        """Publishes one message."""
        self.call("Publish", {"TopicArn": topic, "Message": message})


def _element(xml: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", xml)
    if found is None:
        raise CallFailed(f"an answer without {name}: {xml[:300]}")
    return found[1]
