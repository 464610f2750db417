"""Secrets: created, described, changed, found by their names and ARNs, deleted and restored."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.modes import MODE
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.standing import Standing, eventually

ABSENT = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
MARKED = (
    "InvalidRequestException",
    "You can't perform this operation on the secret because it was marked for deletion.",
)


def test_a_secret_has_an_arn_that_ends_with_six_random_characters(cloud: SecretCloud) -> None:
    created = cloud.client.create_secret(Name="shop/db", SecretString="x", ClientRequestToken=make_token(1))
    assert re.fullmatch(
        rf"arn:aws:secretsmanager:us-east-1:{cloud.aws.account}:secret:shop/db-[A-Za-z0-9]{{6}}", created["ARN"]
    )
    assert (created["Name"], created["VersionId"]) == ("shop/db", make_token(1))


def test_a_secret_is_described(cloud: SecretCloud) -> None:
    arn = cloud.create(Description="the shop's", Tags=[{"Key": "a", "Value": "1"}], ClientRequestToken=make_token(1))
    found = cloud.client.describe_secret(SecretId="s")
    assert (found["ARN"], found["Name"], found["Description"]) == (arn, "s", "the shop's")
    assert found["Tags"] == [{"Key": "a", "Value": "1"}]
    assert found["VersionIdsToStages"] == {make_token(1): ["AWSCURRENT"]}
    assert found["CreatedDate"] == found["LastChangedDate"]
    for absent in ("KmsKeyId", "DeletedDate", "LastAccessedDate", "RotationEnabled", "OwningService", "PrimaryRegion"):
        assert absent not in found


def test_the_last_access_is_known_by_its_day(timed: SecretCloud, standing: Standing) -> None:
    timed.create()
    timed.value()
    found = timed.client.describe_secret(SecretId="s")
    assert found["LastAccessedDate"].astimezone(UTC).time().isoformat() == "00:00:00"
    (version,) = timed.client.list_secret_version_ids(SecretId="s")["Versions"]
    assert version["LastAccessedDate"] == found["LastAccessedDate"]
    standing.advance("1d")
    timed.value()
    later = timed.client.describe_secret(SecretId="s")["LastAccessedDate"]
    assert later - found["LastAccessedDate"] == timedelta(days=1)


def test_a_secret_is_found_by_name_by_arn_and_by_partial_arn(cloud: SecretCloud) -> None:
    arn = cloud.create()
    for id in ("s", arn, arn[:-7]):
        assert cloud.value(id) == "first"


def test_a_partial_arn_finds_a_name_that_ends_as_an_arn_does(cloud: SecretCloud) -> None:
    arn = cloud.create("s-abcdef")
    assert cloud.client.describe_secret(SecretId=arn[:-7])["Name"] == "s-abcdef"


@pytest.mark.parametrize(
    "id",
    [
        "nothing",
        "arn:aws:secretsmanager:us-east-1:{account}:secret:s-aaaaaa",
        "arn:aws:secretsmanager:eu-west-1:{account}:secret:s",
    ],
)
def test_what_is_not_there_is_not_found(cloud: SecretCloud, id: str) -> None:
    cloud.create()
    assert cloud.refused("get_secret_value", SecretId=id.format(account=cloud.aws.account)) == ABSENT


def test_what_is_not_there_in_another_account_is_not_found(cloud: SecretCloud) -> None:
    code = cloud.refused("get_secret_value", SecretId="arn:aws:secretsmanager:us-east-1:000000000001:secret:s")[0]
    # Where permissions are enforced, one learns no more than of a secret that one may not read.
    assert code == ("AccessDeniedException" if MODE == "strict" else ABSENT[0])


def test_a_name_has_letters_digits_and_a_few_other_characters(cloud: SecretCloud) -> None:
    code, message = cloud.refused("create_secret", Name="a b")
    assert code == "ValidationException"
    assert message.endswith(
        "Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
    )
    assert cloud.refused("get_secret_value", SecretId="a b")[0] == "ValidationException"


def test_a_name_is_taken_once(cloud: SecretCloud) -> None:
    cloud.create()
    assert cloud.refused("create_secret", Name="s", SecretString="other") == (
        "ResourceExistsException",
        "The operation failed because the secret s already exists.",
    )
    assert cloud.refused("create_secret", Name="s")[0] == "ResourceExistsException"


def test_the_same_request_creates_one_secret(cloud: SecretCloud) -> None:
    arn = cloud.create(ClientRequestToken=make_token(1))
    assert cloud.create(ClientRequestToken=make_token(1)) == arn
    assert cloud.refused("create_secret", Name="s", SecretString="x", ClientRequestToken=make_token(1))[0] == (
        "ResourceExistsException"
    )


def test_a_secret_can_have_no_value(cloud: SecretCloud) -> None:
    cloud.create(SecretString=None)
    assert cloud.stages() == {}
    assert cloud.refused("get_secret_value", SecretId="s") == (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    )


def test_a_description_is_changed(cloud: SecretCloud) -> None:
    cloud.create()
    changed = cloud.client.update_secret(SecretId="s", Description="new")
    assert "VersionId" not in changed
    assert cloud.client.describe_secret(SecretId="s")["Description"] == "new"
    assert cloud.value() == "first"


def test_an_update_with_a_value_makes_a_version(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    changed = cloud.client.update_secret(SecretId="s", SecretString="second", ClientRequestToken=make_token(2))
    assert changed["VersionId"] == make_token(2)
    assert cloud.stages() == {"AWSCURRENT": make_token(2), "AWSPREVIOUS": make_token(1)}
    again = {"SecretId": "s", "SecretString": "second", "ClientRequestToken": make_token(2)}
    assert cloud.refused("update_secret", **again)[0] == "ResourceExistsException"


def test_a_deleted_secret_can_be_restored_within_its_window(timed: SecretCloud, standing: Standing) -> None:
    arn = timed.create()
    deleted = timed.client.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    now = datetime(2030, 3, 13, 12, tzinfo=UTC)
    assert (deleted["ARN"], deleted["Name"]) == (arn, "s")
    assert deleted["DeletionDate"] - timedelta(days=7) >= now
    assert timed.client.describe_secret(SecretId="s")["DeletedDate"] == deleted["DeletionDate"]
    standing.advance("6d")
    timed.client.restore_secret(SecretId="s")
    assert timed.value() == "first"
    standing.advance("30d")
    assert timed.value() == "first"
    assert "DeletedDate" not in timed.client.describe_secret(SecretId="s")


def test_a_secret_marked_for_deletion_lies_still(cloud: SecretCloud) -> None:
    cloud.create()
    cloud.client.delete_secret(SecretId="s")
    calls: dict[str, dict[str, Any]] = {
        "get_secret_value": {},
        "put_secret_value": {"SecretString": "x"},
        "update_secret": {"Description": "x"},
        "update_secret_version_stage": {"VersionStage": "x", "MoveToVersionId": make_token(1)},
        "rotate_secret": {},
        "tag_resource": {"Tags": []},
        "get_resource_policy": {},
        "delete_secret": {},
    }
    for operation, params in calls.items():
        assert cloud.refused(operation, SecretId="s", **params) == MARKED, operation
    assert cloud.refused("create_secret", Name="s") == (
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    )
    assert cloud.client.list_secret_version_ids(SecretId="s")["Versions"]
    assert cloud.names() == []
    (listed,) = cloud.client.list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert listed["DeletedDate"]


def test_a_secret_is_gone_after_its_window(timed: SecretCloud, standing: Standing) -> None:
    arn = timed.create()
    timed.client.delete_secret(SecretId="s")
    standing.advance("29d")
    assert timed.client.describe_secret(SecretId="s")
    standing.advance("2d")
    eventually(lambda: timed.names(IncludePlannedDeletion=True), lambda names: not names)
    assert timed.refused("restore_secret", SecretId="s") == ABSENT
    assert timed.create() != arn
    assert timed.refused("describe_secret", SecretId=arn) == ABSENT


def test_a_forced_deletion_needs_no_window(cloud: SecretCloud) -> None:
    arn = cloud.create()
    cloud.client.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    assert cloud.refused("describe_secret", SecretId="s") == ABSENT
    assert cloud.client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)["ARN"] == arn
    assert cloud.create() != arn
    assert len(cloud.client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)["Versions"]) == 1


def test_recovery_windows_have_7_to_30_days(cloud: SecretCloud) -> None:
    cloud.create()
    for days in (6, 31):
        assert cloud.refused("delete_secret", SecretId="s", RecoveryWindowInDays=days) == (
            "InvalidParameterException",
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        )
    both = {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True}
    assert cloud.refused("delete_secret", SecretId="s", **both) == (
        "InvalidParameterException",
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    )
    assert cloud.refused("delete_secret", SecretId="nothing") == ABSENT


def test_tags_are_added_and_removed(cloud: SecretCloud) -> None:
    cloud.create(Tags=[{"Key": "a", "Value": "1"}])
    cloud.client.tag_resource(SecretId="s", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    cloud.client.untag_resource(SecretId="s", TagKeys=["b", "nothing"])
    assert cloud.client.describe_secret(SecretId="s")["Tags"] == [{"Key": "a", "Value": "3"}]
    assert cloud.refused("tag_resource", SecretId="s", Tags=[{"Key": "aws:x", "Value": "1"}])[0] == (
        "InvalidParameterException"
    )
    many = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert cloud.refused("tag_resource", SecretId="s", Tags=many)[0] == "InvalidParameterException"


def test_what_is_not_built_says_so(cloud: SecretCloud) -> None:
    cloud.create()
    primary = "arn:aws:secretsmanager:us-east-1:000000000001:secret:s-abcdef"
    assert cloud.refused("create_secret", Name="t", CrossAccountPrimaryARN=primary)[0] == "NotImplemented"
    assert cloud.refused("create_secret", Name="t", Type="partner")[0] == "NotImplemented"
    assert cloud.refused("update_secret", SecretId="s", Type="partner")[0] == "NotImplemented"
    metadata = [{"Key": "a", "Value": "b"}]
    assert cloud.refused("rotate_secret", SecretId="s", ExternalSecretRotationMetadata=metadata)[0] == "NotImplemented"
