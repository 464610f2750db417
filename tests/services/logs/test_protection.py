"""Data protection: sensitive data is masked wherever events leave, and reported."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.services.logs import data_identifiers, outbox, protection
from cloudlet.services.logs.data_identifiers import MANAGED
from cloudlet.services.logs.protection import Mask
from cloudlet.testing.server import Aws
from tests.buckets import let_in
from tests.refused import code_of
from tests.services.logs.conftest import LocalLogs
from tests.services.logs.test_metric_filters import put_filter, sums
from tests.services.logs.test_subscriptions import messages, played, put, refused, subscribe
from tests.standing import eventually

__all__ = ["played"]

EMAIL = "arn:aws:dataprotection::aws:data-identifier/EmailAddress"
IP = "arn:aws:dataprotection::aws:data-identifier/IpAddress"


def policy(
    *identifiers: str, findings: dict[str, Any] | None = None, masked: list[str] | None = None, **more: Any
) -> str:
    given = list(identifiers or (EMAIL,))
    audit = {"Audit": {"FindingsDestination": findings or {}}}
    statements = [
        {"Sid": "audit", "DataIdentifier": given, "Operation": audit},
        {"Sid": "mask", "DataIdentifier": masked or given, "Operation": {"Deidentify": {"MaskConfig": {}}}},
    ]
    return json.dumps({"Name": "p", "Version": "2021-06-01", "Statement": statements, **more})


def protect(logs: Any, text: str, group: str = "g") -> None:
    logs.put_data_protection_policy(logGroupIdentifier=group, policyDocument=text)


@pytest.fixture
def write(logs: Any) -> Callable[..., None]:
    """Put events into a log group, which is created."""
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")

    def write(*texts: str) -> None:
        at = int(time.time() * 1000)
        events = [{"timestamp": at, "message": text} for text in texts]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)

    return write


def read(logs: Any, **more: Any) -> list[str]:
    """Return messages, as both ways of reading show them."""
    got = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True, **more)["events"]
    found = logs.filter_log_events(logGroupName="g", **more)["events"]
    assert [one["message"] for one in got] == [one["message"] for one in found]
    return [one["message"] for one in got]


def test_what_came_since_is_masked_unless_one_asks_for_it_as_it_is(logs: Any, write: Callable[..., None]) -> None:
    write("before: jo@example.com")
    protect(
        logs, policy(EMAIL, "Order", Configuration={"CustomDataIdentifier": [{"Name": "Order", "Regex": "O-\\d+"}]})
    )
    write("jo@example.com ordered O-123 and O-4", "nothing")
    assert read(logs) == ["before: jo@example.com", "************** ordered ***** and ***", "nothing"]
    assert read(logs, unmask=True)[1] == "jo@example.com ordered O-123 and O-4"
    logs.delete_data_protection_policy(logGroupIdentifier="g")
    write("later: jo@example.com")
    assert read(logs)[1:] == ["************** ordered ***** and ***", "nothing", "later: jo@example.com"]


def test_searches_do_not_find_what_is_masked(logs: Any, write: Callable[..., None]) -> None:
    protect(logs, policy())
    write("user jo@example.com", "user other")
    found = logs.filter_log_events(logGroupName="g", filterPattern="example")["events"]
    assert found == []
    found = logs.filter_log_events(logGroupName="g", filterPattern="user -other")["events"]
    assert [one["message"] for one in found] == ["user **************"]
    assert len(logs.filter_log_events(logGroupName="g", filterPattern="example", unmask=True)["events"]) == 1


def test_policies_of_the_account_and_the_group_add_up(logs: Any, write: Callable[..., None]) -> None:
    protect(logs, policy(EMAIL))
    params = {"policyName": "a", "policyType": "DATA_PROTECTION_POLICY"}
    made = logs.put_account_policy(**params, policyDocument=policy(IP))["accountPolicy"]
    assert logs.describe_account_policies(policyType="DATA_PROTECTION_POLICY")["accountPolicies"] == [made]
    assert logs.describe_log_groups()["logGroups"][0]["inheritedProperties"] == ["ACCOUNT_DATA_PROTECTION"]
    write("jo@example.com from 10.0.0.1")
    assert read(logs) == ["************** from ********"]
    logs.delete_account_policy(**params)
    logs.delete_data_protection_policy(logGroupIdentifier="g")
    write("jo@example.com from 10.0.0.1")
    assert read(logs) == ["************** from ********", "jo@example.com from 10.0.0.1"]


def test_metric_filters_see_masked_events(logs: Any, aws: Aws, write: Callable[..., None]) -> None:
    protect(logs, policy())
    put_filter(logs, "example")
    put_filter(logs, "user", name="other", metricValue="10")
    write("user jo@example.com")
    assert eventually(sums(aws.client("cloudwatch")), lambda seen: seen[0] > 0) == (1, 10)


def test_subscribers_get_masked_events(played: LocalLogs) -> None:
    played.call("PutDataProtectionPolicy", logGroupIdentifier="g", policyDocument=policy())
    subscribe(played)
    put(played, "user jo@example.com")
    played.until(lambda: messages(played) == ["user **************"])


def test_findings_are_reported_to_a_log_group_and_a_bucket(logs: Any, aws: Aws, write: Callable[..., None]) -> None:
    bucket, s3 = f"findings-{aws.account}", aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    let_in(s3, bucket, "logs.amazonaws.com")
    logs.create_log_group(logGroupName="/aws/vendedlogs/findings")
    to = {"CloudWatchLogs": {"LogGroup": "/aws/vendedlogs/findings"}, "S3": {"Bucket": bucket}}
    protect(logs, policy(EMAIL, IP, findings=to))
    write("nothing", "mail: jo@example.com, al@example.com from 10.0.0.1")
    found = eventually(lambda: logs.filter_log_events(logGroupName="/aws/vendedlogs/findings")["events"])
    report = json.loads(found[0]["message"])
    assert len(found) == 1
    assert report.pop("auditTimestamp").endswith("Z")
    assert report == {
        "resourceArn": f"arn:aws:logs:{aws.region}:{aws.account}:log-group:g:*",
        "dataIdentifiers": [
            {"name": "EmailAddress", "count": 2, "detections": [{"start": 7, "end": 20}, {"start": 23, "end": 36}]},
            {"name": "IpAddress", "count": 1, "detections": [{"start": 43, "end": 50}]},
        ],
    }
    keys = eventually(lambda: [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])])
    data = gzip.decompress(s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read())
    assert json.loads(data)["dataIdentifiers"] == report["dataIdentifiers"]


def test_reports_are_not_reported_on(local: LocalLogs) -> None:
    """What an identifier finds in reports would make another report, for ever."""
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    custom = {"CustomDataIdentifier": [{"Name": "Own", "Regex": "[0-9]+"}]}
    text = policy("Own", findings={"CloudWatchLogs": {"LogGroup": "g"}}, Configuration=custom)
    local.call("PutAccountPolicy", policyName="p", policyType="DATA_PROTECTION_POLICY", policyDocument=text)
    put(local, "123")

    def streams() -> list[str]:
        found = local.call("FilterLogEvents", logGroupName="g")["events"]
        return sorted(event["logStreamName"] for event in found)

    local.until(lambda: streams() == ["audit-findings", "s"])
    local.until(lambda: not local.transact(lambda tx: outbox.subscriptions(tx, None, 1)))
    assert streams() == ["audit-findings", "s"]


def test_a_policy_is_shown_and_deleted(logs: Any, write: Callable[..., None]) -> None:
    assert "policyDocument" not in logs.get_data_protection_policy(logGroupIdentifier="g")
    assert "dataProtectionStatus" not in logs.describe_log_groups()["logGroups"][0]
    protect(logs, policy())
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    shown = logs.get_data_protection_policy(logGroupIdentifier=arn)
    assert (shown["policyDocument"], shown["logGroupIdentifier"]) == (policy(), arn)
    assert logs.describe_log_groups()["logGroups"][0]["dataProtectionStatus"] == "ACTIVATED"
    logs.delete_data_protection_policy(logGroupIdentifier=arn)
    assert "policyDocument" not in logs.get_data_protection_policy(logGroupIdentifier="g")
    assert logs.describe_log_groups()["logGroups"][0]["dataProtectionStatus"] == "DELETED"
    code = "ResourceNotFoundException"
    assert code_of(logs.delete_data_protection_policy, logGroupIdentifier="g") == code
    assert code_of(protect, logs, policy(), "none") == code


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        policy(Version="2020-01-01"),
        policy(Other=1),
        policy(Statement=[]),
        policy("EmailAddress"),
        policy(EMAIL, masked=[IP]),
        policy("Own", Configuration={"CustomDataIdentifier": [{"Name": "Own", "Regex": "("}]}),
        policy("Own", Configuration={"CustomDataIdentifier": [{"Name": "Own", "Regex": "a{1001}"}]}),
        policy("Own", Configuration={"CustomDataIdentifier": [{"Name": "EmailAddress", "Regex": "a"}]}),
        policy(findings={"CloudWatchLogs": {"LogGroup": "none"}}),
        policy(findings={"S3": {"Bucket": "no-such-bucket-anywhere"}}),
        policy(findings={"Elsewhere": {}}),
        policy(Description="x" * 31_000),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(logs: Any, write: Callable[..., None], text: str) -> None:
    assert code_of(protect, logs, text) == "InvalidParameterException"


def test_a_managed_identifier_that_is_not_built_is_refused(local: LocalLogs) -> None:
    local.call("CreateLogGroup", logGroupName="g")
    text = policy("arn:aws:dataprotection::aws:data-identifier/Address")
    params = {"logGroupIdentifier": "g", "policyDocument": text}
    assert refused(local.call, "PutDataProtectionPolicy", **params) == "NotImplemented"


@pytest.mark.parametrize(
    ("name", "message", "found"),
    [
        ("EmailAddress", "<jo.doe+x@mail.example.co.uk>, a@b, @c.de", ["jo.doe+x@mail.example.co.uk"]),
        (
            "IpAddress",
            "10.0.0.1:80 999.1.1.1 1.2.3 ::1 fe80::1ff:fe23:4567:890a 12:30:00",
            ["10.0.0.1", "::1", "fe80::1ff:fe23:4567:890a"],
        ),
        ("IpAddress", "from 192.168.0.1, v1.2.3.4.5", ["192.168.0.1"]),
        ("CreditCardNumber", "card: 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("CreditCardNumber", "card: 4111 1111 1111 1112", []),
        ("CreditCardNumber", "order 4111111111111111", []),
        ("CreditCardSecurityCode", '{"cvv": "123"}', ["123"]),
        ("CreditCardExpiration", "expiry 12/27 and 2027-12-31", ["12/27"]),
        (
            "AwsSecretKey",
            "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
        ),
        ("AwsSecretKey", "sha 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", []),
        ("Ssn-US", "SSN: 123-45-6789 and 000-12-3456", ["123-45-6789"]),
        ("Ssn-US", "number 123-45-6789", []),
        ("PhoneNumber-US", "phone (425) 555-0100", ["(425) 555-0100"]),
        ("PhoneNumber-US", "phone_number=+1 425-555-0100", ["+1 425-555-0100"]),
        ("PhoneNumber-US", "tel: (425) 255-0100 or 425.255.0100", ["(425) 255-0100", "425.255.0100"]),
        ("ZipCode-US", "zip code 98109-5210", ["98109-5210"]),
        ("VehicleIdentificationNumber", "vin 1M8GDM9AXKP042788 1M8GDM9A1KP042788", ["1M8GDM9AXKP042788"]),
        ("CpfCode-BR", "cpf 529.982.247-25 529.982.247-26", ["529.982.247-25"]),
        ("Cnpj-BR", "CNPJ 11.222.333/0001-81 11.222.333/0001-82", ["11.222.333/0001-81"]),
        (
            "PkcsPrivateKey",
            "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b",
            ["-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----"],
        ),
        ("OpenSshPrivateKey", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3", ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3"]),
    ],
)
def test_managed_identifiers_find_what_the_guide_says(name: str, message: str, found: list[str]) -> None:
    assert [message[span.start : span.end] for span in MANAGED[name].find(message)] == found


def test_keywords_have_to_be_close() -> None:
    ssn = MANAGED["Ssn-US"]
    assert list(ssn.find("ssn" + " " * 25 + "123-45-6789"))
    assert not list(ssn.find("ssn" + " " * 40 + "123-45-6789"))
    assert not list(ssn.find("lessons 123-45-6789"))


def test_custom_expressions_find_as_much_as_they_can() -> None:
    identifier = data_identifiers.custom("x", r"key=.*|\bO-\d{2,}")
    message = "NO-12 O-1 O-123456 " + "O-77 " * 300 + "key=1 and all behind"
    found = [message[span.start : span.end] for span in identifier.find(message)]
    assert found == ["O-123456", *["O-77"] * 300, "key=1 and all behind"]


def test_what_is_found_by_several_is_masked_once() -> None:
    texts = [
        policy("Own", Configuration={"CustomDataIdentifier": [{"Name": "Own", "Regex": one}]})
        for one in ("[a-c]+", "c-d", "-")
    ]
    mask = Mask("", [[(5, text)] for text in texts])
    assert mask("zabc-d-zc-", 5) == "z******z**"
    assert mask("zabc-d-zc-", 4) == "zabc-d-zc-"


def test_the_latest_of_many_policies_counts(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "_MOST_CHANGES", 2)
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    for number in range(4):
        custom = {"CustomDataIdentifier": [{"Name": "Own", "Regex": f"{number}"}]}
        text = policy("Own", Configuration=custom)
        local.call("PutDataProtectionPolicy", logGroupIdentifier="g", policyDocument=text)
        local.advance(1)
    put(local, "0123")
    [event] = local.call("GetLogEvents", logGroupName="g", logStreamName="s")["events"]
    assert event["message"] == "012*"
