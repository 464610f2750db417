"""Policies about records: by the names, types and actions of a batch."""

from __future__ import annotations

from typing import Any

from tests.services.route53.zone_cloud import fails, record
from tests.standing import eventually
from tests.strict_accounts import Account, allow, document


def test_a_policy_admits_some_names_alone(strict_account: Account) -> None:
    root = strict_account.client("route53")
    zone = root.create_hosted_zone(Name="example.com", CallerReference="one")["HostedZone"]["Id"]
    names = {"route53:ChangeResourceRecordSetsNormalizedRecordNames": ["_acme-challenge.example.com"]}
    types = {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]}
    resource = f"arn:aws:route53:::{zone.removeprefix('/')}"
    statement = {
        **allow("route53:ChangeResourceRecordSets", resource),
        "Condition": {"ForAllValues:StringEquals": {**names, **types}},
    }
    route53: Any = strict_account.user(statement, name="issuer").client("route53")

    def change(*records: dict[str, Any]) -> None:
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

    challenge = record("_ACME-challenge.example.com.", "TXT", '"x"')
    change(challenge)
    message = fails("AccessDenied", change, challenge, record("www.example.com", "TXT", '"x"'))
    assert "is not authorized to perform: route53:ChangeResourceRecordSets" in message
    fails("AccessDenied", change, record("_acme-challenge.example.com", "A", "192.0.2.1"))
    fails("AccessDenied", route53.delete_hosted_zone, Id=zone)


def test_a_key_policy_lets_route_53_sign(strict_account: Account) -> None:
    route53, kms = strict_account.client("route53"), strict_account.client("kms")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="one")["HostedZone"]["Id"]
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    wanted = {
        "CallerReference": "one",
        "HostedZoneId": zone,
        "KeyManagementServiceArn": key,
        "Name": "main",
        "Status": "ACTIVE",
    }
    fails("InvalidKMSArn", route53.create_key_signing_key, **wanted)
    owner = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{strict_account.number}:root"}}
    signer = {
        **allow(["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]),
        "Principal": {"Service": "dnssec-route53.amazonaws.com"},
    }
    kms.put_key_policy(KeyId=key, Policy=document(owner, signer))
    route53.create_key_signing_key(**wanted)
    route53.enable_hosted_zone_dnssec(HostedZoneId=zone)


def test_cloud_map_works_where_permissions_are_enforced(strict_account: Account) -> None:
    cloud: Any = strict_account.client("servicediscovery")
    operation = cloud.create_public_dns_namespace(Name="strict.example")["OperationId"]
    eventually(
        lambda: cloud.get_operation(OperationId=operation)["Operation"]["Status"], lambda status: status == "SUCCESS"
    )
