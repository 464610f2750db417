"""Signing certificates, SSH public keys and credentials for one service."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam import pem
from tests.standing import Standing

_RSA = pem.rsa_key().public_key()
_SSH = _RSA.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
_PEM = _RSA.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def ann(iam: Any) -> Any:
    """A client of an account that has a user, ann."""
    iam.create_user(UserName="ann")
    return iam


def test_a_user_has_two_signing_certificates(ann: Any) -> None:
    bodies = [pem.certificate(name, name) for name in ("one", "two", "three")]
    one = ann.upload_signing_certificate(UserName="ann", CertificateBody=bodies[0])["Certificate"]
    assert (one["UserName"], one["Status"]) == ("ann", "Active")
    ann.upload_signing_certificate(UserName="ann", CertificateBody=bodies[1])
    assert refused(ann.upload_signing_certificate, UserName="ann", CertificateBody=bodies[2]) == (
        "LimitExceeded",
        "Cannot exceed quota for CertificatesPerUser: 2",
    )
    ids = {each["CertificateId"] for each in ann.list_signing_certificates(UserName="ann")["Certificates"]}
    assert one["CertificateId"] in ids
    assert len(ids) == 2


def test_a_signing_certificate_is_of_one_user(ann: Any) -> None:
    body = pem.certificate("one", "one")
    certificate = ann.upload_signing_certificate(UserName="ann", CertificateBody=body)["Certificate"]["CertificateId"]
    assert refused(ann.upload_signing_certificate, CertificateBody=body)[0] == "DuplicateCertificate"
    assert refused(ann.delete_user, UserName="ann")[0] == "DeleteConflict"
    ann.update_signing_certificate(UserName="ann", CertificateId=certificate, Status="Inactive")
    assert ann.list_signing_certificates(UserName="ann")["Certificates"][0]["Status"] == "Inactive"
    status = {"CertificateId": certificate, "Status": "Expired"}
    assert refused(ann.update_signing_certificate, UserName="ann", **status)[0] == "InvalidInput"
    ann.delete_signing_certificate(UserName="ann", CertificateId=certificate)
    assert refused(ann.delete_signing_certificate, UserName="ann", CertificateId=certificate) == (
        "NoSuchEntity",
        f"The Certificate with id {certificate} cannot be found.",
    )
    ann.upload_signing_certificate(CertificateBody=body)
    assert ann.list_signing_certificates()["Certificates"][0]["CertificateBody"] == body


def test_what_is_no_certificate_signs_nothing(ann: Any) -> None:
    assert refused(ann.upload_signing_certificate, CertificateBody="nothing")[0] == "MalformedCertificate"


def test_an_ssh_key_is_got_in_both_encodings(ann: Any, tmp_path: Path) -> None:
    key = ann.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=f"{_SSH} ann@laptop")["SSHPublicKey"]
    assert key["SSHPublicKeyBody"] == f"{_SSH} ann@laptop"
    assert key["SSHPublicKeyId"].startswith("APKA")
    file = tmp_path / "key.pub"
    file.write_text(_SSH)
    shown = subprocess.run(["ssh-keygen", "-l", "-E", "md5", "-f", file], capture_output=True, text=True, check=True)
    assert f"MD5:{key['Fingerprint']}" in shown.stdout
    which = {"UserName": "ann", "SSHPublicKeyId": key["SSHPublicKeyId"]}
    assert ann.get_ssh_public_key(**which, Encoding="SSH")["SSHPublicKey"]["SSHPublicKeyBody"] == _SSH
    got = ann.get_ssh_public_key(**which, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"]
    assert load_pem_public_key(got.encode()) == _RSA


def test_an_ssh_key_in_pem_is_the_same_one(ann: Any) -> None:
    key = ann.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=_PEM)["SSHPublicKey"]
    assert refused(ann.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody=_SSH)[0] == "DuplicateSSHPublicKey"
    assert refused(ann.delete_user, UserName="ann")[0] == "DeleteConflict"
    which = {"UserName": "ann", "SSHPublicKeyId": key["SSHPublicKeyId"]}
    ann.update_ssh_public_key(**which, Status="Inactive")
    assert ann.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"][0]["Status"] == "Inactive"
    ann.delete_ssh_public_key(**which)
    assert ann.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"] == []
    assert refused(ann.delete_ssh_public_key, **which) == (
        "NoSuchEntity",
        f"The Public Key with id {key['SSHPublicKeyId']} cannot be found.",
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("nothing", "UnrecognizedPublicKeyEncoding"),
        ("ssh-rsa AAAA", "InvalidPublicKey"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "InvalidPublicKey"),
        (
            pem.rsa_key(1024).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
            "InvalidPublicKey",
        ),
        (
            pem.key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            "InvalidPublicKey",
        ),
    ],
)
def test_only_rsa_keys_of_enough_bits_are_taken(ann: Any, body: str, code: str) -> None:
    assert refused(ann.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody=body)[0] == code


def test_a_credential_of_a_service_has_a_password_once(aws: Aws, ann: Any) -> None:
    service = "codecommit.amazonaws.com"
    made = ann.create_service_specific_credential(UserName="ann", ServiceName=service)["ServiceSpecificCredential"]
    assert made["ServiceUserName"] == f"ann-at-{aws.account}"
    (listed,) = ann.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed == {key: value for key, value in made.items() if key != "ServicePassword"}
    which = {"UserName": "ann", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    again = ann.reset_service_specific_credential(**which)["ServiceSpecificCredential"]
    assert again["ServicePassword"] != made["ServicePassword"]
    ann.update_service_specific_credential(**which, Status="Inactive")
    (listed,) = ann.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Inactive"
    assert refused(ann.delete_user, UserName="ann")[0] == "DeleteConflict"
    ann.delete_service_specific_credential(**which)
    assert refused(ann.delete_service_specific_credential, **which) == (
        "NoSuchEntity",
        f"No such credential {made['ServiceSpecificCredentialId']} exists",
    )


def test_a_user_has_two_credentials_for_each_service(aws: Aws, ann: Any) -> None:
    for service in ("codecommit.amazonaws.com", "cassandra.amazonaws.com"):
        params = {"UserName": "ann", "ServiceName": service}
        ann.create_service_specific_credential(**params)
        second = ann.create_service_specific_credential(**params)["ServiceSpecificCredential"]
        assert second["ServiceUserName"] == f"ann+1-at-{aws.account}"
        assert refused(ann.create_service_specific_credential, **params) == (
            "LimitExceeded",
            "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2",
        )
    ann.create_user(UserName="beth")
    ann.create_service_specific_credential(UserName="beth", ServiceName="codecommit.amazonaws.com")
    every = ann.list_service_specific_credentials(AllUsers=True, ServiceName="codecommit.amazonaws.com")
    assert [each["UserName"] for each in every["ServiceSpecificCredentials"]] == ["ann", "ann", "beth"]
    both = {"AllUsers": True, "UserName": "ann"}
    assert refused(ann.list_service_specific_credentials, **both)[0] == "ValidationError"


def test_a_key_for_an_api_expires(standing: Standing) -> None:
    iam = standing.account().client("iam")
    iam.create_user(UserName="ann")
    params = {"UserName": "ann", "ServiceName": "bedrock.amazonaws.com", "CredentialAgeDays": 2}
    made = iam.create_service_specific_credential(**params)["ServiceSpecificCredential"]
    assert made["ServiceCredentialSecret"].startswith("ABSK")
    assert (made["ExpirationDate"] - made["CreateDate"]).days == 2
    standing.advance("2d")
    (listed,) = iam.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Expired"


def test_other_services_have_no_credentials_of_their_own(ann: Any) -> None:
    params = {"UserName": "ann", "ServiceName": "s3.amazonaws.com"}
    assert refused(ann.create_service_specific_credential, **params) == (
        "NotSupportedService",
        "No such service s3.amazonaws.com is supported for Service Specific Credentials",
    )
    params = {"UserName": "ann", "ServiceName": "codecommit.amazonaws.com", "CredentialAgeDays": 2}
    assert refused(ann.create_service_specific_credential, **params)[0] == "ValidationError"
