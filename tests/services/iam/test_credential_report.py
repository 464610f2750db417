"""The credential report, and what an account's summary counts of credentials."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from tests.refused import refused
from tests.services.iam import pem
from tests.standing import Standing


def _rows(iam: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(iam.get_credential_report()["Content"].decode())))


def test_a_report_has_a_row_for_the_root_and_for_each_user(standing: Standing) -> None:
    aws = standing.account()
    iam = aws.client("iam")
    assert refused(iam.get_credential_report)[0] == "ReportNotPresent"
    iam.update_account_password_policy(MaxPasswordAge=10)
    iam.create_user(UserName="ann", Path="/a/")
    iam.create_user(UserName="beth")
    iam.create_login_profile(UserName="ann", Password="Correct-Horse-1")
    iam.create_access_key(UserName="ann")
    iam.upload_signing_certificate(UserName="ann", CertificateBody=pem.certificate("ann", "ann"))
    assert iam.generate_credential_report()["State"] == "STARTED"
    root, ann, beth = _rows(iam)
    assert root["user"] == "<root_account>"
    assert root["arn"] == f"arn:aws:iam::{aws.account}:root"
    assert root["password_enabled"] == "not_supported"
    assert ann == {
        "user": "ann",
        "arn": f"arn:aws:iam::{aws.account}:user/a/ann",
        "user_creation_time": "2030-03-13T12:00:00+00:00",
        "password_enabled": "true",
        "password_last_used": "no_information",
        "password_last_changed": "2030-03-13T12:00:00+00:00",
        "password_next_rotation": "2030-03-23T12:00:00+00:00",
        "mfa_active": "false",
        "access_key_1_active": "true",
        "access_key_1_last_rotated": "2030-03-13T12:00:00+00:00",
        "access_key_1_last_used_date": "N/A",
        "access_key_1_last_used_region": "N/A",
        "access_key_1_last_used_service": "N/A",
        "access_key_2_active": "false",
        "access_key_2_last_rotated": "N/A",
        "access_key_2_last_used_date": "N/A",
        "access_key_2_last_used_region": "N/A",
        "access_key_2_last_used_service": "N/A",
        "cert_1_active": "true",
        "cert_1_last_rotated": "2030-03-13T12:00:00+00:00",
        "cert_2_active": "false",
        "cert_2_last_rotated": "N/A",
    }
    assert (beth["user"], beth["password_enabled"], beth["password_last_changed"]) == ("beth", "false", "N/A")


def test_a_report_is_good_for_four_hours(standing: Standing) -> None:
    iam = standing.account().client("iam")
    iam.generate_credential_report()
    iam.create_user(UserName="ann")
    standing.advance("3h59m")
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    assert len(_rows(iam)) == 1
    standing.advance("1m")
    assert refused(iam.get_credential_report)[0] == "ReportExpired"
    iam.generate_credential_report()
    assert len(_rows(iam)) == 2
    standing.advance("20h")


def test_a_report_has_many_users(iam: Any) -> None:
    for number in range(101):
        iam.create_user(UserName=f"user-{number:03}")
    iam.generate_credential_report()
    assert [row["user"] for row in _rows(iam)] == ["<root_account>", *(f"user-{number:03}" for number in range(101))]


def test_a_summary_counts_credentials(iam: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
    iam.upload_signing_certificate(CertificateBody=pem.certificate("root", "root"))
    iam.create_open_id_connect_provider(Url="https://idp.example")
    iam.upload_server_certificate(
        ServerCertificateName="web",
        CertificateBody=pem.certificate("web", "web"),
        PrivateKey=pem.text_of(pem.key("web")),
    )
    summary = iam.get_account_summary()["SummaryMap"]
    counts = ("MFADevices", "MFADevicesInUse", "AccountSigningCertificatesPresent", "Providers", "ServerCertificates")
    assert [summary[count] for count in counts] == [1, 0, 1, 1, 1]
    assert (summary["ServerCertificatesQuota"], summary["SigningCertificatesPerUserQuota"]) == (20, 2)
