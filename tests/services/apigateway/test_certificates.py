"""Custom domain names have certificates, which ACM has."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.certificates import bring
from tests.refused import refused
from tests.services.apigateway.cloud import GatewayCloud
from tests.standing import eventually

ABSENT = ("BadRequestException", "The provided certificate does not exist.")


@pytest.fixture
def name() -> str:
    """A domain name of its own: it belongs to one account of the cloud."""
    return f"api.z{secrets.token_hex(6)}.example"


class Domains:
    """Domain names of both versions of the API."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.rest: Any = aws.client("apigateway")
        self.http: Any = aws.client("apigatewayv2")
        self.acm: Any = aws.client("acm")

    def create(self, version: int, name: str, arn: str) -> Any:
        if version == 1:
            kind = {"types": ["REGIONAL"]}
            return self.rest.create_domain_name(domainName=name, regionalCertificateArn=arn, endpointConfiguration=kind)
        return self.http.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])

    def update(self, version: int, name: str, arn: str) -> Any:
        if version == 1:
            operation = {"op": "replace", "path": "/regionalCertificateArn", "value": arn}
            return self.rest.update_domain_name(domainName=name, patchOperations=[operation])
        return self.http.update_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])

    def users(self, arn: str) -> list[str]:
        found: list[str] = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"]
        return found


@pytest.fixture
def domains(aws: Aws) -> Domains:
    return Domains(aws)


@pytest.mark.parametrize("version", [1, 2])
def test_a_domain_uses_its_certificate_until_it_has_another_one(domains: Domains, name: str, version: int) -> None:
    first, second = bring(domains.aws, name), bring(domains.aws, f"*.{name.partition('.')[2]}")
    resource = f"arn:aws:apigateway:us-east-1::/domainnames/{name}"
    domains.create(version, name, first)
    eventually(lambda: domains.users(first), lambda users: users == [resource])
    assert refused(domains.acm.delete_certificate, CertificateArn=first) == (
        "ResourceInUseException",
        f"Certificate {first} in account {first.split(':')[4]} is in use.",
    )
    domains.update(version, name, second)
    eventually(lambda: (domains.users(first), domains.users(second)), lambda users: users == ([], [resource]))
    domains.acm.delete_certificate(CertificateArn=first)
    domains.http.delete_domain_name(DomainName=name)
    eventually(lambda: domains.users(second), lambda users: users == [])
    domains.acm.delete_certificate(CertificateArn=second)


@pytest.mark.parametrize("version", [1, 2])
def test_a_certificate_has_to_be_there_and_count_for_the_name(domains: Domains, name: str, version: int) -> None:
    arn = bring(domains.aws, name)
    unknown = f"{arn[:-12]}000000000000"
    others = bring(Aws(domains.aws.endpoint, fresh_account()), name)
    elsewhere = bring(domains.aws, name, region="eu-west-1")
    failed = domains.acm.request_certificate(DomainName="a.amazonaws.com", ValidationMethod="DNS")["CertificateArn"]
    uncovered = "The domain name to be created is not covered by the provided certificate."
    for wrong, error in (
        (unknown, ABSENT),
        (others, ABSENT),
        (f"arn:aws:iam::{domains.aws.account}:server-certificate/a", ABSENT),
        ("hello", ("BadRequestException", "Invalid certificate ARN: hello")),
        (
            elsewhere,
            ("BadRequestException", f"Invalid certificate ARN: {elsewhere}. Certificate must be in 'us-east-1'."),
        ),
        (failed, ("BadRequestException", "The provided certificate is not issued: it is FAILED.")),
        (bring(domains.aws, "example.org"), ("BadRequestException", uncovered)),
        (bring(domains.aws, f"*.{name}"), ("BadRequestException", uncovered)),
    ):
        assert refused(domains.create, version, name, wrong) == error
    domains.create(version, name, arn)
    assert refused(domains.update, version, name, unknown) == ABSENT


def test_an_edge_has_its_certificate_in_virginia(aws: Aws, name: str) -> None:
    ireland: Any = aws.client("apigateway", region_name="eu-west-1")
    wrong = bring(aws, name, region="eu-west-1")
    code, message = refused(ireland.create_domain_name, domainName=name, certificateArn=wrong)
    assert (code, message[-11:]) == ("BadRequestException", "us-east-1'.")
    arn = bring(aws, name)
    assert ireland.create_domain_name(domainName=name, certificateArn=arn)["certificateArn"] == arn
    users = eventually(lambda: Domains(aws).users(arn))
    assert users == [f"arn:aws:apigateway:eu-west-1::/domainnames/{name}"]


def test_without_acm_certificates_are_not_looked_for(name: str) -> None:
    with Server.start("--ephemeral", "--services", "apigateway") as server, server.account() as aws:
        arn = f"arn:aws:acm:us-east-1:{aws.account}:certificate/1"
        cloud = GatewayCloud(aws)
        made = cloud.client.create_domain_name(DomainName=name, DomainNameConfigurations=[{"CertificateArn": arn}])
        assert made["DomainNameConfigurations"][0]["CertificateArn"] == arn
        cloud.client.delete_domain_name(DomainName=name)
