"""Trust stores: authorities, revocation lists, and the listeners that use them."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import DAY, Pair, make_pair
from tests.services.elbv2.lb_cloud import NOTHING, LbCloud, fails
from tests.services.elbv2.test_listeners import import_certificate, listen_securely


def make_list(authority: Pair, *serials: int) -> bytes:
    """Return a revocation list in PEM."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now)
        .next_update(now + DAY)
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Trust:
    """A bucket with the files of trust stores."""

    def __init__(self, cloud: LbCloud) -> None:
        self.elb = cloud.elb
        self.s3: Any = cloud.aws.client("s3")
        self.bucket = f"trust-{cloud.account}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.authority = make_pair(is_authority=True)
        self.put("ca.pem", self.authority.body)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def create(self, name: str = "clients", key: str = "ca.pem", **more: Any) -> dict[str, Any]:
        made = self.elb.create_trust_store(
            Name=name, CaCertificatesBundleS3Bucket=self.bucket, CaCertificatesBundleS3Key=key, **more
        )
        found: dict[str, Any] = made["TrustStores"][0]
        return found

    def revoke(self, arn: str, key: str) -> dict[str, Any]:
        contents = [{"S3Bucket": self.bucket, "S3Key": key}]
        made = self.elb.add_trust_store_revocations(TrustStoreArn=arn, RevocationContents=contents)
        found: dict[str, Any] = made["TrustStoreRevocations"][0]
        return found


@pytest.fixture
def trust(cloud: LbCloud) -> Trust:
    return Trust(cloud)


def read(url: str) -> bytes:
    with urlopen(url) as answer:
        content: bytes = answer.read()
        return content


def test_a_trust_store_is_created_and_shown(cloud: LbCloud, trust: Trust) -> None:
    made = trust.create()
    arn = made["TrustStoreArn"]
    assert arn.startswith(f"arn:aws:elasticloadbalancing:us-east-1:{cloud.account}:truststore/clients/")
    assert (made["Status"], made["NumberOfCaCertificates"], made["TotalRevokedEntries"]) == ("ACTIVE", 1, 0)
    assert trust.elb.describe_trust_stores(TrustStoreArns=[arn])["TrustStores"] == [made]
    assert trust.elb.describe_trust_stores(Names=["clients"])["TrustStores"] == [made]
    assert trust.elb.describe_trust_stores()["TrustStores"] == [made]
    location = trust.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=arn)["Location"]
    assert read(location) == trust.authority.body
    fails("DuplicateTrustStoreName", trust.create)
    trust.put("two.pem", trust.authority.body + make_pair(is_authority=True).body)
    changed = trust.elb.modify_trust_store(
        TrustStoreArn=arn, CaCertificatesBundleS3Bucket=trust.bucket, CaCertificatesBundleS3Key="two.pem"
    )
    assert changed["TrustStores"][0]["NumberOfCaCertificates"] == 2
    trust.elb.delete_trust_store(TrustStoreArn=arn)
    fails("TrustStoreNotFound", trust.elb.describe_trust_stores, TrustStoreArns=[arn])


def test_bundles_that_are_not_admitted(trust: Trust) -> None:
    fails("CaCertificatesBundleNotFound", trust.create, key="nothing.pem")
    trust.put("text.pem", b"what?")
    fails("InvalidCaCertificatesBundle", trust.create, key="text.pem")
    trust.put("many.pem", trust.authority.body * 26)
    fails("InvalidCaCertificatesBundle", trust.create, key="many.pem")
    trust.put("large.pem", b"#" * (1 << 20) + b"\n" + trust.authority.body)
    fails("InvalidCaCertificatesBundle", trust.create, key="large.pem")
    fails("ValidationError", trust.create, "a--b")


def test_revocations(trust: Trust) -> None:
    arn = trust.create()["TrustStoreArn"]
    content = make_list(trust.authority, 1, 2)
    trust.put("one.crl", content)
    made = trust.revoke(arn, "one.crl")
    assert (made["RevocationId"], made["RevocationType"], made["NumberOfRevokedEntries"]) == (1, "CRL", 2)
    second = trust.revoke(arn, "one.crl")["RevocationId"]
    assert trust.elb.describe_trust_stores()["TrustStores"][0]["TotalRevokedEntries"] == 4
    describe = trust.elb.describe_trust_store_revocations
    assert [each["RevocationId"] for each in describe(TrustStoreArn=arn)["TrustStoreRevocations"]] == [1, second]
    location = trust.elb.get_trust_store_revocation_content(TrustStoreArn=arn, RevocationId=1)["Location"]
    assert read(location) == content
    trust.elb.remove_trust_store_revocations(TrustStoreArn=arn, RevocationIds=[1])
    fails("RevocationIdNotFound", describe, TrustStoreArn=arn, RevocationIds=[1])
    fails("RevocationIdNotFound", trust.elb.remove_trust_store_revocations, TrustStoreArn=arn, RevocationIds=[1])
    fails("RevocationIdNotFound", trust.elb.get_trust_store_revocation_content, TrustStoreArn=arn, RevocationId=1)
    fails("RevocationContentNotFound", trust.revoke, arn, "nothing.crl")
    fails("InvalidRevocationContent", trust.revoke, arn, "ca.pem")
    fails("ValidationError", trust.elb.add_trust_store_revocations, TrustStoreArn=arn)


def verify(store: str, **more: Any) -> dict[str, Any]:
    return {"MutualAuthentication": {"Mode": "verify", "TrustStoreArn": store, **more}}


def test_a_listener_uses_a_trust_store(cloud: LbCloud, trust: Trust) -> None:
    balancer, certificate, store = cloud.create_arn(), import_certificate(cloud), trust.create()["TrustStoreArn"]
    made = listen_securely(cloud, balancer, certificate, **verify(store))
    assert made["MutualAuthentication"] == {
        "Mode": "verify",
        "TrustStoreArn": store,
        "IgnoreClientCertificateExpiry": False,
        "AdvertiseTrustStoreCaNames": "off",
    }
    described = trust.elb.describe_trust_store_associations(TrustStoreArn=store)["TrustStoreAssociations"]
    assert described == [{"ResourceArn": balancer}]
    fails("TrustStoreInUse", trust.elb.delete_trust_store, TrustStoreArn=store)
    unshare = trust.elb.delete_shared_trust_store_association
    fails("DeleteAssociationSameAccount", unshare, TrustStoreArn=store, ResourceArn=balancer)
    fails("AssociationNotFound", unshare, TrustStoreArn=store, ResourceArn=balancer[:-16] + NOTHING)
    changed = {"ListenerArn": made["ListenerArn"], "MutualAuthentication": {"Mode": "passthrough"}}
    cloud.elb.modify_listener(**changed)
    trust.elb.delete_trust_store(TrustStoreArn=store)


def test_authentication_that_is_not_admitted(cloud: LbCloud, trust: Trust) -> None:
    balancer, certificate, store = cloud.create_arn(), import_certificate(cloud), trust.create()["TrustStoreArn"]

    def listen(**more: Any) -> None:
        listen_securely(cloud, balancer, certificate, **more)

    fails("ValidationError", listen, MutualAuthentication={"Mode": "strict"})
    fails("ValidationError", listen, MutualAuthentication={"Mode": "verify"})
    fails("ValidationError", listen, MutualAuthentication={"Mode": "off", "TrustStoreArn": store})
    fails("TrustStoreNotFound", listen, **verify(store[:-16] + NOTHING))
    fails("ValidationError", listen, **verify("mine"))
    wanted = {"Field": "subject-cn", "Action": "accept", "MatchType": "exact", "Value": "a"}
    fails("InvalidConfigurationRequest", listen, **verify(store, ClientCertificateIdentityFilters=[wanted]))


def test_there_are_no_policies(trust: Trust) -> None:
    arn = trust.create()["TrustStoreArn"]
    fails("ResourceNotFound", trust.elb.get_resource_policy, ResourceArn=arn)
