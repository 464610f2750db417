"""The version of an API that a form names: each service has one, and answers no other as if it were that."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws

Answer = tuple[int, str | None, str | None]
"""Status, code and message of an answer."""


def asked(aws: Aws, service: str, fields: dict[str, str], *, signed: bool = True) -> Answer:
    """Post a form."""
    request = AWSRequest("POST", f"{aws.endpoint}/", data=urlencode(fields))
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    if signed:
        SigV4Auth(Credentials(aws.account, "test"), service, aws.region).add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(aws.endpoint).netloc, timeout=10)
    connection.request("POST", "/", request.data, dict(request.headers.items()))
    response = connection.getresponse()
    status, body = response.status, response.read()
    connection.close()
    root = ET.fromstring(body)
    return status, root.findtext(".//{*}Error/{*}Code"), root.findtext(".//{*}Error/{*}Message")


@pytest.mark.parametrize(
    ("service", "action", "version"),
    [
        ("sts", "GetCallerIdentity", "2011-06-14"),
        ("sts", "GetCallerIdentity", "latest"),
        ("sns", "ListTopics", "2010-03-31x"),
        ("monitoring", "ListMetrics", "2009-05-15"),
    ],
)
def test_an_action_is_not_found_in_another_version(aws: Aws, service: str, action: str, version: str) -> None:
    answer = asked(aws, service, {"Action": action, "Version": version})
    assert answer == (400, "InvalidAction", f"Could not find operation {action} for version {version}")


def test_a_client_with_another_version_is_told_so(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    client = aws.client("sts")
    monkeypatch.setitem(client.meta.service_model.metadata, "apiVersion", "2000-01-01")
    with pytest.raises(ClientError, match="Could not find operation GetCallerIdentity for version 2000-01-01"):
        client.get_caller_identity()


def test_queues_have_an_error_for_it(aws: Aws) -> None:
    answer = asked(aws, "sqs", {"Action": "ListQueues", "Version": "2012-11-06"})
    assert answer == (400, "NoSuchVersion", "The requested version ( 2012-11-06 ) is not valid.")
    answer = asked(aws, "sqs", {"Action": "ListStacks", "Version": "2012-11-05"})
    assert answer == (400, "InvalidAction", "The action ListStacks is not valid for this endpoint.")


def test_a_request_that_nobody_signed_is_for_the_service_of_its_version(aws: Aws) -> None:
    form = {"Action": "GetCallerIdentity", "Version": "2011-06-14"}
    status, code, _ = asked(aws, "sts", form, signed=False)
    assert (status, code) == (400, "InvalidAction")


@pytest.mark.parametrize("version", [{"Version": "2010-03-31"}, {}])
def test_the_services_own_version_is_answered_and_so_is_none(aws: Aws, version: dict[str, str]) -> None:
    """The links that SNS sends to confirm a subscription name no version."""
    assert asked(aws, "sns", {"Action": "ListTopics", **version})[0] == 200


@pytest.mark.parametrize("action", ["Get+Caller", "GetCallerIdentityÄ", "a b"])
def test_an_action_that_no_name_is_like_is_shown_as_it_was_asked_for(aws: Aws, action: str) -> None:
    answer = asked(aws, "sts", {"Version": "2011-06-15", "Action": action})
    assert answer == (400, "InvalidAction", f"Could not find operation {action} for version 2011-06-15")


def test_a_form_without_an_action_misses_one(aws: Aws) -> None:
    status, code, _ = asked(aws, "sts", {"Version": "2011-06-15", "ReAction": "GetCallerIdentity"})
    assert (status, code) == (400, "MissingAction")
