"""The settings of SMS messages, and the sandbox's phone numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from tests.refused import refused
from tests.services.sns.cloud import STRANGER, LocalSns, local_sns

_NUMBER = "+4915112345678"
_DAY = 86_400


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as sns:
        yield sns


def _invalid(text: str) -> tuple[str, str]:
    return "InvalidParameter", f"Invalid parameter: {text}"


def test_settings_are_kept(sns: Any) -> None:
    assert sns.get_sms_attributes()["attributes"] == {"MonthlySpendLimit": "1"}
    settings = {"DefaultSMSType": "Transactional", "DefaultSenderID": "SHOP", "MonthlySpendLimit": "7"}
    sns.set_sms_attributes(attributes=settings)
    assert sns.get_sms_attributes()["attributes"] == settings
    assert sns.get_sms_attributes(attributes=["DefaultSenderID"])["attributes"] == {"DefaultSenderID": "SHOP"}
    assert sns.get_sms_attributes(attributes=["DeliveryStatusIAMRole"])["attributes"] == {}
    sns.set_sms_attributes(attributes={"DefaultSenderID": ""})
    assert "DefaultSenderID" not in sns.get_sms_attributes()["attributes"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Colour", "blue", "Colour is not a valid attribute"),
        ("DefaultSMSType", "Urgent", "DefaultSMSType"),
        ("DefaultSenderID", "12345", "DefaultSenderID"),
        ("DefaultSenderID", "ABCDEFGHIJKL", "DefaultSenderID"),
        ("MonthlySpendLimit", "much", "MonthlySpendLimit"),
        ("DeliveryStatusSuccessSamplingRate", "101", "DeliveryStatusSuccessSamplingRate"),
        ("DeliveryStatusIAMRole", "role", "DeliveryStatusIAMRole"),
    ],
)
def test_settings_that_are_refused(sns: Any, name: str, value: str, message: str) -> None:
    wanted = {"DefaultSMSType": "Promotional", name: value}
    assert refused(sns.set_sms_attributes, attributes=wanted) == ("InvalidParameter", message)
    assert sns.get_sms_attributes()["attributes"] == {"MonthlySpendLimit": "1"}


def test_usage_reports_are_refused_rather_than_ignored(sns: Any) -> None:
    assert refused(sns.set_sms_attributes, attributes={"UsageReportS3Bucket": "reports"})[0] == "NotImplemented"


def test_nobody_is_opted_out(sns: Any) -> None:
    assert sns.check_if_phone_number_is_opted_out(phoneNumber=_NUMBER)["isOptedOut"] is False
    assert sns.list_phone_numbers_opted_out()["phoneNumbers"] == []
    sns.opt_in_phone_number(phoneNumber=_NUMBER)
    for call in (sns.check_if_phone_number_is_opted_out, sns.opt_in_phone_number):
        assert refused(call, phoneNumber="0151") == _invalid("PhoneNumber Reason: input incorrectly formatted")
    assert refused(sns.list_phone_numbers_opted_out, nextToken="x") == _invalid("nextToken")


def test_there_are_no_origination_numbers_and_no_account_is_in_the_sandbox(sns: Any) -> None:
    assert sns.list_origination_numbers()["PhoneNumbers"] == []
    assert sns.get_sms_sandbox_account_status()["IsInSandbox"] is False


def _password(sandbox: LocalSns) -> str:
    """Return the password that was sent last."""
    sent = json.loads((sandbox.folder / "sms.jsonl").read_text().splitlines()[-1])
    assert _NUMBER in sent.values()
    found = re.search(r"\d{6}", sent["message"])
    assert found is not None
    return found[0]


def _wrong(password: str) -> str:
    return "000000" if password != "000000" else "111111"


def _numbers(sandbox: LocalSns) -> Any:
    return sandbox.call("ListSMSSandboxPhoneNumbers")["PhoneNumbers"]


def test_a_number_is_verified_by_the_password_sent_to_it(sandbox: LocalSns) -> None:
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    assert _numbers(sandbox) == [{"PhoneNumber": _NUMBER, "Status": "Pending"}]
    password = _password(sandbox)
    error = sandbox.refused("VerifySMSSandboxPhoneNumber", PhoneNumber=_NUMBER, OneTimePassword=_wrong(password))
    assert (error.code, error.fields) == ("VerificationException", {"Status": "Pending"})
    sandbox.call("VerifySMSSandboxPhoneNumber", PhoneNumber=_NUMBER, OneTimePassword=password)
    assert _numbers(sandbox) == [{"PhoneNumber": _NUMBER, "Status": "Verified"}]
    assert sandbox.refused("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER).code == "UserError"
    assert sandbox.call("ListSMSSandboxPhoneNumbers", by=STRANGER)["PhoneNumbers"] == []


def test_a_password_is_told_in_the_language_asked_for(sandbox: LocalSns) -> None:
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER, LanguageCode="zh-TW")
    sent = json.loads((sandbox.folder / "sms.jsonl").read_text())
    assert sent["message"].startswith("您的驗證碼是")


def test_a_password_is_not_guessed(sandbox: LocalSns) -> None:
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    password = _password(sandbox)
    for _ in range(5):
        sandbox.refused("VerifySMSSandboxPhoneNumber", PhoneNumber=_NUMBER, OneTimePassword=_wrong(password))
    error = sandbox.refused("VerifySMSSandboxPhoneNumber", PhoneNumber=_NUMBER, OneTimePassword=password)
    assert error.code == "VerificationException"
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    sandbox.call("VerifySMSSandboxPhoneNumber", PhoneNumber=_NUMBER, OneTimePassword=_password(sandbox))


def test_a_password_holds_for_a_day(sandbox: LocalSns) -> None:
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    sandbox.advance(_DAY)
    params = {"PhoneNumber": _NUMBER, "OneTimePassword": _password(sandbox)}
    assert sandbox.refused("VerifySMSSandboxPhoneNumber", **params).code == "VerificationException"


def test_passwords_are_sent_five_times_a_day(sandbox: LocalSns) -> None:
    for _ in range(5):
        sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    assert sandbox.refused("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER).code == "Throttled"
    sandbox.advance(_DAY)
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)


def test_the_sandbox_has_ten_numbers(sandbox: LocalSns) -> None:
    for number in range(10):
        sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=f"+49151123456{number:02}")
    assert sandbox.refused("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER).code == "UserError"
    first = sandbox.call("ListSMSSandboxPhoneNumbers", MaxResults=6)
    second = sandbox.call("ListSMSSandboxPhoneNumbers", MaxResults=6, NextToken=first["NextToken"])
    assert (len(first["PhoneNumbers"]), len(second["PhoneNumbers"])) == (6, 4)


def test_a_number_stays_a_day(sandbox: LocalSns) -> None:
    sandbox.call("CreateSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    assert sandbox.refused("DeleteSMSSandboxPhoneNumber", PhoneNumber=_NUMBER).code == "UserError"
    sandbox.advance(_DAY)
    sandbox.call("DeleteSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    assert _numbers(sandbox) == []
    missing: AwsError = sandbox.refused("DeleteSMSSandboxPhoneNumber", PhoneNumber=_NUMBER)
    assert missing.code == "ResourceNotFound"


def test_sandbox_numbers_that_are_none(sns: Any) -> None:
    assert refused(sns.create_sms_sandbox_phone_number, PhoneNumber="015112345") == _invalid(
        "PhoneNumber Reason: input incorrectly formatted"
    )
    params = {"PhoneNumber": _NUMBER, "OneTimePassword": "123456"}
    assert refused(sns.verify_sms_sandbox_phone_number, **params)[0] == "ResourceNotFound"
