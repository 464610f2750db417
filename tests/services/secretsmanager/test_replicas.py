"""Replicas of secrets in other regions."""

from __future__ import annotations

from typing import Any

from tests.services.secretsmanager.cloud import SecretCloud, make_token

EUROPE = "eu-west-1"
READ_ONLY = (
    "InvalidRequestException",
    "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
)


def _replicate(cloud: SecretCloud, *regions: str, **more: Any) -> dict[str, tuple[str, str]]:
    """Replicate a secret; return the status and the message of each region."""
    added = [{"Region": region} for region in regions]
    answer = cloud.client.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=added, **more)
    return {each["Region"]: (each["Status"], each["StatusMessage"]) for each in answer["ReplicationStatus"]}


def test_a_secret_is_replicated_with_its_versions(cloud: SecretCloud) -> None:
    arn = cloud.create(Description="d", Tags=[{"Key": "a", "Value": "1"}], ClientRequestToken=make_token(1))
    cloud.client.put_secret_value(SecretId="s", SecretString="second", ClientRequestToken=make_token(2))
    assert _replicate(cloud, EUROPE) == {EUROPE: ("InSync", "Replication succeeded")}
    europe = cloud.in_region(EUROPE)
    found = europe.client.describe_secret(SecretId="s")
    assert found["ARN"] == arn.replace("us-east-1", EUROPE)
    assert (found["PrimaryRegion"], found["Description"]) == ("us-east-1", "d")
    assert found["Tags"] == [{"Key": "a", "Value": "1"}]
    assert (europe.value(), europe.value(VersionStage="AWSPREVIOUS")) == ("second", "first")
    assert europe.stages() == cloud.stages()
    (status,) = cloud.client.describe_secret(SecretId="s")["ReplicationStatus"]
    assert (status["Region"], status["KmsKeyId"]) == (EUROPE, "alias/aws/secretsmanager")
    assert status["LastAccessedDate"]


def test_a_secret_can_be_created_with_replicas(cloud: SecretCloud) -> None:
    answer = cloud.client.create_secret(Name="s", SecretString="x", AddReplicaRegions=[{"Region": EUROPE}])
    assert [each["Status"] for each in answer["ReplicationStatus"]] == ["InSync"]
    assert cloud.in_region(EUROPE).value() == "x"
    assert cloud.names(Filters=[{"Key": "primary-region", "Values": ["us-east-1"]}]) == ["s"]


def test_changes_of_the_primary_reach_its_replicas(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    _replicate(cloud, EUROPE, "us-west-2")
    cloud.client.put_secret_value(SecretId="s", SecretString="second", ClientRequestToken=make_token(2))
    cloud.client.update_secret(SecretId="s", Description="new")
    cloud.client.tag_resource(SecretId="s", Tags=[{"Key": "a", "Value": "1"}])
    for region in (EUROPE, "us-west-2"):
        replica = cloud.in_region(region)
        found = replica.client.describe_secret(SecretId="s")
        assert (replica.value(), found["Description"], len(found["Tags"])) == ("second", "new", 1)
    cloud.client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=make_token(2), MoveToVersionId=make_token(1)
    )
    assert cloud.in_region(EUROPE).value() == "first"


def test_a_replica_is_read_only(cloud: SecretCloud) -> None:
    cloud.create()
    _replicate(cloud, EUROPE)
    europe = cloud.in_region(EUROPE)
    calls: dict[str, dict[str, Any]] = {
        "put_secret_value": {"SecretString": "x"},
        "update_secret": {"Description": "x"},
        "tag_resource": {"Tags": [{"Key": "a", "Value": "1"}]},
        "delete_secret": {},
        "rotate_secret": {},
        "put_resource_policy": {"ResourcePolicy": "{}"},
        "replicate_secret_to_regions": {"AddReplicaRegions": [{"Region": "us-west-2"}]},
    }
    for operation, params in calls.items():
        assert europe.refused(operation, SecretId="s", **params) == READ_ONLY, operation


def test_a_replica_has_a_key_of_its_own(cloud: SecretCloud) -> None:
    cloud.create()
    europe = cloud.in_region(EUROPE)
    key = europe.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    answer = cloud.client.replicate_secret_to_regions(
        SecretId="s", AddReplicaRegions=[{"Region": EUROPE, "KmsKeyId": key}]
    )
    assert answer["ReplicationStatus"][0]["KmsKeyId"] == key
    europe.client.update_secret(SecretId="s", KmsKeyId="alias/aws/secretsmanager")
    assert cloud.client.describe_secret(SecretId="s")["ReplicationStatus"][0]["KmsKeyId"] == "alias/aws/secretsmanager"
    cloud.client.put_secret_value(SecretId="s", SecretString="second")
    assert europe.value() == "second"


def test_a_name_that_is_taken_fails_the_replica(cloud: SecretCloud) -> None:
    cloud.create()
    europe = cloud.in_region(EUROPE)
    europe.create(SecretString="theirs")
    assert _replicate(cloud, EUROPE) == {
        EUROPE: ("Failed", f"Replication failed: Secret name s already exists in region {EUROPE}.")
    }
    assert europe.value() == "theirs"
    assert _replicate(cloud, EUROPE, ForceOverwriteReplicaSecret=True)[EUROPE][0] == "InSync"
    assert europe.value() == "first"


def test_a_replica_that_kms_does_not_encrypt_for_fails_until_it_is_replicated_again(cloud: SecretCloud) -> None:
    cloud.create()
    europe = cloud.in_region(EUROPE)
    kms = europe.aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    added = [{"Region": EUROPE, "KmsKeyId": key}]
    cloud.client.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=added)
    kms.disable_key(KeyId=key)
    cloud.client.put_secret_value(SecretId="s", SecretString="second")
    (status,) = cloud.client.describe_secret(SecretId="s")["ReplicationStatus"]
    assert status["Status"] == "Failed"
    assert status["StatusMessage"].startswith("Replication failed: Secrets Manager can't encrypt")
    kms.enable_key(KeyId=key)
    assert europe.value() == "first"
    cloud.client.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=added)
    assert europe.value() == "second"


def test_a_replica_is_removed(cloud: SecretCloud) -> None:
    cloud.create()
    _replicate(cloud, EUROPE)
    assert cloud.refused("delete_secret", SecretId="s") == (
        "InvalidRequestException",
        f"You can't delete secret s that still has replica regions [{EUROPE}]",
    )
    answer = cloud.client.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[EUROPE])
    assert answer["ReplicationStatus"] == []
    assert cloud.in_region(EUROPE).names() == []
    again = {"SecretId": "s", "RemoveReplicaRegions": [EUROPE]}
    assert cloud.refused("remove_regions_from_replication", **again)[0] == "InvalidParameterException"
    cloud.client.delete_secret(SecretId="s")


def test_a_replica_becomes_a_secret_of_its_own(cloud: SecretCloud) -> None:
    cloud.create()
    _replicate(cloud, EUROPE)
    europe = cloud.in_region(EUROPE)
    assert cloud.refused("stop_replication_to_replica", SecretId="s")[0] == "InvalidRequestException"
    europe.client.stop_replication_to_replica(SecretId="s")
    cloud.client.put_secret_value(SecretId="s", SecretString="second")
    assert europe.value() == "first"
    europe.client.put_secret_value(SecretId="s", SecretString="third")
    assert (cloud.value(), europe.value()) == ("second", "third")
    assert "ReplicationStatus" not in cloud.client.describe_secret(SecretId="s")


def test_regions_make_sense(cloud: SecretCloud) -> None:
    cloud.create()
    for regions in (["us-east-1"], ["cn-north-1"], [EUROPE, EUROPE]):
        added = [{"Region": region} for region in regions]
        assert cloud.refused("replicate_secret_to_regions", SecretId="s", AddReplicaRegions=added) == (
            "InvalidParameterException",
            "Invalid replica region.",
        )
    _replicate(cloud, EUROPE)
    added = [{"Region": EUROPE}]
    assert cloud.refused("replicate_secret_to_regions", SecretId="s", AddReplicaRegions=added)[0] == (
        "InvalidParameterException"
    )
