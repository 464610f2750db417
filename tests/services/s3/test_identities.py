"""Users and roles, where permissions are enforced: what their own policies, the bucket's and its lists say together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.services.s3.raw import fetch, form
from tests.services.s3.strict import DENIED, OTHER, Strict, grant, policy, refused, strict_server

_SIGNED = Config(signature_version="s3v4")


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


@pytest.fixture
def bucket(strict: Strict) -> str:
    name = strict.bucket()
    strict.owner.s3.put_object(Bucket=name, Key="k", Body=b"x")
    return name


def _objects(bucket: str, key: str = "*") -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def _message(call: Any, /, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    return str(caught.value.response["Error"]["Message"])


# -- the account's own users


def test_a_user_of_the_owners_account_needs_a_policy(strict: Strict, bucket: str) -> None:
    user = strict.user()
    assert _message(user.s3.get_object, Bucket=bucket, Key="k") == (
        f'User: {user.arn} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::{bucket}/k" '
        "because no identity-based policy allows the s3:GetObject action"
    )
    assert refused(user.s3.put_object, Bucket=bucket, Key="k") == DENIED
    assert refused(user.s3.list_objects_v2, Bucket=bucket) == DENIED
    assert refused(user.s3.delete_bucket, Bucket=bucket) == DENIED
    reader = strict.user(grant("s3:GetObject", _objects(bucket)))
    assert reader.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(reader.s3.put_object, Bucket=bucket, Key="k") == DENIED
    writer = strict.user(grant(["s3:PutObject", "s3:ListBucket"]))
    writer.s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    writer.s3.list_objects_v2(Bucket=bucket)
    assert refused(writer.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_the_buckets_policy_is_enough_for_a_user_of_its_account(strict: Strict, bucket: str) -> None:
    user, other = strict.user(), strict.user()
    strict.allow(bucket, Principal={"AWS": user.arn}, Action="s3:GetObject")
    user.s3.get_object(Bucket=bucket, Key="k")
    assert refused(other.s3.get_object, Bucket=bucket, Key="k") == DENIED
    strict.allow(bucket, Principal={"AWS": strict.owner.number}, Action="s3:GetObject")
    assert refused(user.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_a_denial_of_either_policy_decides(strict: Strict, bucket: str) -> None:
    user = strict.user(grant("s3:*"), {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})
    user.s3.get_object(Bucket=bucket, Key="k")
    assert "with an explicit deny in an identity-based policy" in _message(
        user.s3.delete_object, Bucket=bucket, Key="k"
    )
    strict.allow(bucket, Effect="Deny", Action="s3:GetObject", Principal={"AWS": user.arn})
    assert "with an explicit deny in a resource-based policy" in _message(user.s3.get_object, Bucket=bucket, Key="k")


def test_a_boundary_limits_a_user(strict: Strict, bucket: str) -> None:
    iam = strict.root(strict.owner.number, "iam")
    boundary = iam.create_policy(PolicyName=f"limit-{bucket}", PolicyDocument=policy(grant("s3:GetObject")))["Policy"]
    user = strict.user(grant("s3:*"), boundary=boundary["Arn"])
    user.s3.get_object(Bucket=bucket, Key="k")
    assert "no permissions boundary allows" in _message(user.s3.put_object, Bucket=bucket, Key="k")


def test_session_policies_limit_a_session(strict: Strict, bucket: str) -> None:
    role = strict.role(grant("s3:*"), trusts={"AWS": strict.owner.number})
    whole = strict.session(role)
    whole.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    limited = strict.session(role, Policy=policy(grant("s3:GetObject", _objects(bucket))))
    limited.s3.get_object(Bucket=bucket, Key="k")
    assert "no session policy allows" in _message(limited.s3.put_object, Bucket=bucket, Key="k")


def test_what_changes_in_iam_holds_at_once(strict: Strict, bucket: str) -> None:
    user, iam = strict.user(grant("s3:GetObject")), strict.root(strict.owner.number, "iam")
    user.s3.get_object(Bucket=bucket, Key="k")
    iam.delete_user_policy(UserName=user.name, PolicyName="own")
    assert refused(user.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_what_is_not_there_is_told_to_users_who_may_list(strict: Strict, bucket: str) -> None:
    reader = strict.user(grant("s3:GetObject"))
    assert "s3:ListBucket" in _message(reader.s3.get_object, Bucket=bucket, Key="none")
    lister = strict.user(grant(["s3:GetObject", "s3:ListBucket"]))
    assert refused(lister.s3.get_object, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


# -- users of another account


def test_a_user_of_another_account_needs_both_sides(strict: Strict, bucket: str) -> None:
    free, bound = strict.user(grant("s3:*"), account=OTHER), strict.user(account=OTHER)
    for stranger in (free, bound):
        assert _message(stranger.s3.get_object, Bucket=bucket, Key="k") == "Access Denied"
    for principal in (OTHER, free.arn):
        strict.allow(bucket, Principal={"AWS": principal}, Action="s3:GetObject")
        free.s3.get_object(Bucket=bucket, Key="k")
        assert refused(bound.s3.get_object, Bucket=bucket, Key="k") == DENIED
    strict.allow(bucket, Principal={"AWS": bound.arn}, Action="s3:GetObject")
    assert refused(bound.s3.get_object, Bucket=bucket, Key="k") == DENIED
    assert refused(free.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_a_list_grants_to_an_account_and_its_users_need_policies(strict: Strict) -> None:
    bucket = strict.open_bucket()
    theirs = strict.other.s3.list_buckets()["Owner"]["ID"]
    strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x", GrantRead=f'id="{theirs}"')
    strict.owner.s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    free, bound = strict.user(grant("s3:GetObject"), account=OTHER), strict.user(account=OTHER)
    for key in ("k", "open"):
        strict.other.s3.get_object(Bucket=bucket, Key=key)
        free.s3.get_object(Bucket=bucket, Key=key)
        assert refused(bound.s3.get_object, Bucket=bucket, Key=key) == DENIED
    own = strict.user()
    own.s3.get_object(Bucket=bucket, Key="open")
    assert refused(own.s3.get_object, Bucket=bucket, Key="k") == DENIED


def test_who_owns_an_object_decides_of_it_by_policies_of_his_account(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.owner.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    writer = strict.user(grant(["s3:PutObject", "s3:GetObject"]), account=OTHER)
    writer.s3.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    writer.s3.get_object(Bucket=bucket, Key="theirs")
    assert refused(strict.user(account=OTHER).s3.get_object, Bucket=bucket, Key="theirs") == DENIED
    assert refused(strict.user(grant("s3:*")).s3.get_object, Bucket=bucket, Key="theirs") == DENIED
    assert refused(writer.s3.get_object_acl, Bucket=bucket, Key="theirs") == DENIED
    strict.user(grant("s3:GetObjectAcl"), account=OTHER).s3.get_object_acl(Bucket=bucket, Key="theirs")


# -- which actions an operation needs


def test_buckets_are_listed_and_created_by_those_who_may(strict: Strict) -> None:
    user, name = strict.user(), f"users-{strict.bucket()}"
    assert _message(user.s3.list_buckets) == (
        f"User: {user.arn} is not authorized to perform: s3:ListAllMyBuckets "
        "because no identity-based policy allows the s3:ListAllMyBuckets action"
    )
    assert refused(user.s3.create_bucket, Bucket=name) == DENIED
    strict.user(grant("s3:ListAllMyBuckets")).s3.list_buckets()
    creator = strict.user(grant("s3:CreateBucket", "arn:aws:s3:::users-*")).s3
    assert refused(creator.create_bucket, Bucket="elsewhere-not-mine") == DENIED
    creator.create_bucket(Bucket=name, ACL="private")
    assert name in [each["Name"] for each in strict.owner.s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    ("asked", "actions"),
    [
        ({"ObjectOwnership": "ObjectWriter"}, ["s3:PutBucketOwnershipControls"]),
        (
            {"ObjectOwnership": "ObjectWriter", "ACL": "log-delivery-write"},
            ["s3:PutBucketOwnershipControls", "s3:PutBucketAcl"],
        ),
        ({"ObjectLockEnabledForBucket": True}, ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]),
        ({"CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]}}, ["s3:TagResource"]),
    ],
)
def test_what_a_bucket_is_created_with_takes_permissions(
    strict: Strict, asked: dict[str, Any], actions: list[str]
) -> None:
    name = f"with-{strict.bucket()}"
    for left_out in actions:
        some = [action for action in actions if action != left_out]
        user = strict.user(grant(["s3:CreateBucket", *some]))
        assert left_out in _message(user.s3.create_bucket, Bucket=name, **asked)
    strict.user(grant(["s3:CreateBucket", *actions])).s3.create_bucket(Bucket=name, **asked)


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        (
            {"StringEquals": {"s3:LocationConstraint": "eu-west-1"}},
            {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
            {},
        ),
        ({"Null": {"s3:x-amz-acl": "true"}}, {}, {"ACL": "private"}),
        (
            {"StringEquals": {"aws:RequestTag/team": "a"}},
            {"CreateBucketConfiguration": {"Tags": [{"Key": "team", "Value": "a"}]}},
            {},
        ),
    ],
)
def test_conditions_see_what_a_bucket_is_created_with(
    strict: Strict, condition: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    name = f"if-{strict.bucket()}"
    user = strict.user(grant("s3:CreateBucket", Condition=condition), grant("s3:TagResource"))
    assert refused(user.s3.create_bucket, Bucket=name, **bad) == DENIED
    user.s3.create_bucket(Bucket=name, **good)


@pytest.mark.parametrize(
    ("more", "action"),
    [
        ({"ACL": "bucket-owner-full-control"}, "s3:PutObjectAcl"),
        ({"Tagging": "a=b"}, "s3:PutObjectTagging"),
        ({"ObjectLockLegalHoldStatus": "ON", "ChecksumAlgorithm": "CRC32"}, "s3:PutObjectLegalHold"),
        (
            {
                "ObjectLockMode": "GOVERNANCE",
                "ObjectLockRetainUntilDate": datetime.now(UTC) + timedelta(days=1),
                "ChecksumAlgorithm": "CRC32",
            },
            "s3:PutObjectRetention",
        ),
    ],
)
def test_what_an_object_is_written_with_takes_permissions(strict: Strict, more: dict[str, Any], action: str) -> None:
    bucket = strict.bucket(ObjectLockEnabledForBucket=True)
    writer = strict.user(grant("s3:PutObject"))
    writer.s3.put_object(Bucket=bucket, Key="plain")
    assert action in _message(writer.s3.put_object, Bucket=bucket, Key="k", **more)
    strict.user(grant(["s3:PutObject", action])).s3.put_object(Bucket=bucket, Key="k", **more)


def test_a_stranger_who_names_an_acl_needs_that_at_home(strict: Strict) -> None:
    bucket = strict.open_bucket()
    strict.allow(bucket, Principal={"AWS": OTHER}, Action="s3:PutObject")
    given = {"Bucket": bucket, "Key": "k", "ACL": "bucket-owner-full-control"}
    assert refused(strict.user(grant("s3:PutObject"), account=OTHER).s3.put_object, **given) == DENIED
    strict.user(grant(["s3:PutObject", "s3:PutObjectAcl"]), account=OTHER).s3.put_object(**given)


def test_versions_have_actions_of_their_own(strict: Strict, bucket: str) -> None:
    enabled = {"Status": "Enabled"}
    strict.owner.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    version = strict.owner.s3.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    plain = strict.user(grant(["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectAcl", "s3:DeleteObject"])).s3
    named = {"Bucket": bucket, "Key": "k", "VersionId": version}
    tagging: dict[str, Any] = {"Tagging": {"TagSet": []}}
    for call, more, action in (
        (plain.get_object, {}, "s3:GetObjectVersion"),
        (plain.head_object, {}, ""),
        (plain.get_object_tagging, {}, "s3:GetObjectVersionTagging"),
        (plain.put_object_tagging, tagging, "s3:PutObjectVersionTagging"),
        (plain.get_object_acl, {}, "s3:GetObjectVersionAcl"),
        (plain.delete_object, {}, "s3:DeleteObjectVersion"),
    ):
        if action:
            assert f"perform: {action} on" in _message(call, **named, **more)
        else:
            assert refused(call, **named)[1] == 403
    plain.get_object(Bucket=bucket, Key="k")
    assert refused(plain.list_object_versions, Bucket=bucket) == DENIED
    failed = plain.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version}, {"Key": "k"}]})
    assert [each["VersionId"] for each in failed["Errors"]] == [version]
    assert [each["Key"] for each in failed["Deleted"]] == ["k"]
    strict.user(grant("s3:DeleteObjectVersion")).s3.delete_object(**named)


def test_governance_is_gone_around_by_those_who_may(strict: Strict) -> None:
    bucket = strict.bucket(ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    lock: dict[str, Any] = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    written = strict.owner.s3.put_object(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", **lock)
    where = {"Bucket": bucket, "Key": "k", "VersionId": written["VersionId"], "BypassGovernanceRetention": True}
    deleter = strict.user(grant("s3:DeleteObjectVersion"))
    assert "s3:BypassGovernanceRetention" in _message(deleter.s3.delete_object, **where)
    strict.user(grant(["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"])).s3.delete_object(**where)


def test_conditions_of_a_users_policy_see_the_request(strict: Strict, bucket: str) -> None:
    home = grant("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition={"StringLike": {"s3:prefix": "home/*"}})
    encrypted = {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    tagged = {"StringEquals": {"s3:ExistingObjectTag/kind": "public"}}
    own = grant("s3:GetObject", f"arn:aws:s3:::{bucket}/${{aws:username}}/*")
    user = strict.user(home, grant("s3:PutObject", Condition=encrypted), grant("s3:GetObject", Condition=tagged), own)
    user.s3.list_objects_v2(Bucket=bucket, Prefix="home/ann")
    assert refused(user.s3.list_objects_v2, Bucket=bucket) == DENIED
    user.s3.put_object(Bucket=bucket, Key="e", ServerSideEncryption="AES256")
    assert refused(user.s3.put_object, Bucket=bucket, Key="e") == DENIED
    strict.owner.s3.put_object(Bucket=bucket, Key="t", Tagging="kind=public")
    user.s3.get_object(Bucket=bucket, Key="t")
    assert refused(user.s3.get_object, Bucket=bucket, Key="k") == DENIED
    strict.owner.s3.put_object(Bucket=bucket, Key=f"{user.name}/k")
    user.s3.get_object(Bucket=bucket, Key=f"{user.name}/k")


def test_a_copy_needs_both_sides(strict: Strict, bucket: str) -> None:
    target = strict.bucket()
    strict.owner.s3.put_object(Bucket=bucket, Key="tagged", Tagging="a=b")
    copy = {"Bucket": target, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "k"}}
    read, write = grant("s3:GetObject", _objects(bucket)), grant("s3:PutObject", _objects(target))
    both = strict.user(read, write).s3
    assert "s3:PutObject on" in _message(strict.user(read).s3.copy_object, **copy)
    assert "s3:GetObject on" in _message(strict.user(write).s3.copy_object, **copy)
    both.copy_object(**copy)
    tagged = {**copy, "CopySource": {"Bucket": bucket, "Key": "tagged"}}
    assert "s3:GetObjectTagging" in _message(both.copy_object, **tagged)
    both.copy_object(**tagged, TaggingDirective="REPLACE")
    reader = strict.user(read, write, grant("s3:GetObjectTagging")).s3
    assert "s3:PutObjectTagging" in _message(reader.copy_object, **tagged)
    strict.user(read, write, grant(["s3:GetObjectTagging", "s3:PutObjectTagging"])).s3.copy_object(**tagged)
    upload = {"Bucket": target, "Key": "parts"}
    upload["UploadId"] = both.create_multipart_upload(**upload)["UploadId"]
    part = {**upload, "PartNumber": 1, "CopySource": copy["CopySource"]}
    assert "s3:GetObject on" in _message(strict.user(write).s3.upload_part_copy, **part)
    assert "s3:PutObject on" in _message(strict.user(read).s3.upload_part_copy, **part)
    both.upload_part_copy(**part)


def test_an_upload_is_given_up_by_the_user_who_began_it(strict: Strict, bucket: str) -> None:
    ann, bob = strict.user(grant("s3:PutObject")).s3, strict.user(grant("s3:PutObject")).s3
    where = {"Bucket": bucket, "Key": "parts"}
    where["UploadId"] = ann.create_multipart_upload(**where)["UploadId"]
    assert refused(bob.list_parts, **where) == DENIED
    assert refused(bob.abort_multipart_upload, **where) == DENIED
    ann.list_parts(**where)
    ann.abort_multipart_upload(**where)


# -- other ways to come


def test_a_presigned_url_is_good_for_what_its_signer_may_do(strict: Strict, bucket: str) -> None:
    role = strict.role(grant(["s3:GetObject", "s3:PutObject"]), trusts={"AWS": strict.owner.number})
    user = strict.user(grant(["s3:GetObject", "s3:PutObject"]))
    for signer in (user, strict.session(role)):
        for config in (_SIGNED, Config(signature_version="s3")):
            s3 = _client(strict, signer.keys, config)
            where = {"Bucket": bucket, "Key": "k"}
            assert fetch(s3.generate_presigned_url("put_object", where), "PUT", b"new").status == 200
            assert fetch(s3.generate_presigned_url("get_object", where)).body == b"new"
            assert fetch(s3.generate_presigned_url("delete_object", where), "DELETE").status == 403
    reader = _client(strict, strict.user().keys, _SIGNED)
    assert fetch(reader.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})).status == 403


def _client(strict: Strict, keys: tuple[str, ...], config: Config) -> Any:
    key, secret, *token = keys
    return boto3.client(
        "s3",
        endpoint_url=strict.endpoint,
        region_name="us-east-1",
        config=config,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token[0] if token else None,
    )


def test_a_form_is_good_for_what_its_signer_may_do(strict: Strict, bucket: str) -> None:
    role = strict.role(grant("s3:PutObject"), trusts={"AWS": strict.owner.number})
    for signer in (strict.user(grant("s3:PutObject")), strict.session(role)):
        status, _ = _post(strict, signer.keys, bucket)
        assert status == 204
        strict.owner.s3.delete_object(Bucket=bucket, Key="posted")
    stranger = strict.user(grant("s3:GetObject"))
    status, answer = _post(strict, stranger.keys, bucket)
    assert (status, b"s3:PutObject" in answer) == (403, True)
    assert refused(strict.owner.s3.head_object, Bucket=bucket, Key="posted")[1] == 404


def _post(strict: Strict, keys: tuple[str, ...], bucket: str) -> tuple[int, bytes]:
    post = _client(strict, keys, _SIGNED).generate_presigned_post(bucket, "posted")
    body, content_type = form(post["fields"], b"content")
    answer = fetch(post["url"], "POST", body, Content_Type=content_type)
    return answer.status, answer.body


def test_who_configures_replication_may_pass_its_role(strict: Strict) -> None:
    source, target = strict.bucket(), strict.bucket()
    for name in (source, target):
        strict.owner.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    role = strict.role(trusts={"Service": "s3.amazonaws.com"})
    rule = {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::{target}"}}
    configuration = {"Role": role, "Rules": [rule]}
    user = strict.user(grant("s3:PutReplicationConfiguration"))
    put = {"Bucket": source, "ReplicationConfiguration": configuration}
    assert "iam:PassRole" in _message(user.s3.put_bucket_replication, **put)
    passes = grant("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}})
    strict.user(grant("s3:PutReplicationConfiguration"), passes).s3.put_bucket_replication(**put)
