"""Versions of secrets and the labels that are attached to them."""

from __future__ import annotations

from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.standing import Standing


def _put(cloud: SecretCloud, number: int, *labels: str, value: str = "") -> list[str]:
    """Put a version of a number; return the labels that it has."""
    more = {"VersionStages": list(labels)} if labels else {}
    answer = cloud.client.put_secret_value(
        SecretId="s", SecretString=value or f"v{number}", ClientRequestToken=make_token(number), **more
    )
    assert answer["VersionId"] == make_token(number)
    given: list[str] = answer["VersionStages"]
    return given


def test_a_new_version_becomes_the_current_one(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    assert _put(cloud, 2) == ["AWSCURRENT"]
    assert _put(cloud, 3) == ["AWSCURRENT"]
    assert cloud.stages() == {"AWSCURRENT": make_token(3), "AWSPREVIOUS": make_token(2)}
    assert cloud.value() == "v3"
    assert cloud.value(VersionStage="AWSPREVIOUS") == "v2"
    assert cloud.value(VersionId=make_token(1)) == "first"


def test_the_first_version_of_a_secret_is_its_current_one(cloud: SecretCloud) -> None:
    cloud.create(SecretString=None)
    assert sorted(_put(cloud, 1, "blue")) == ["AWSCURRENT", "blue"]


def test_a_binary_value_stays_as_it_is(cloud: SecretCloud) -> None:
    cloud.create(SecretString=None, SecretBinary=bytes(range(256)))
    answer = cloud.client.get_secret_value(SecretId="s")
    assert answer["SecretBinary"] == bytes(range(256))
    assert "SecretString" not in answer


def test_the_same_version_can_be_put_again(cloud: SecretCloud) -> None:
    arn = cloud.create()
    _put(cloud, 2)
    _put(cloud, 3)
    assert _put(cloud, 2) == ["AWSPREVIOUS"]
    assert cloud.refused("put_secret_value", SecretId="s", SecretString="x", ClientRequestToken=make_token(2)) == (
        "ResourceExistsException",
        f"You can't use ClientRequestToken {make_token(2)} because that value is already in use for a version of "
        f"secret {arn}.",
    )
    binary = {"SecretId": "s", "SecretBinary": b"v2", "ClientRequestToken": make_token(2)}
    assert cloud.refused("put_secret_value", **binary)[0] == "ResourceExistsException"


def test_labels_of_ones_own_move_along(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    assert _put(cloud, 2, "blue", "green") == ["blue", "green"]
    assert _put(cloud, 3, "green") == ["green"]
    assert cloud.value(VersionStage="blue") == "v2"
    assert cloud.value(VersionStage="green") == "v3"
    assert cloud.value() == "first"


def test_a_version_is_read_by_id_and_label_together(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    _put(cloud, 2)
    assert cloud.value(VersionId=make_token(1), VersionStage="AWSPREVIOUS") == "first"
    both = {"VersionId": make_token(1), "VersionStage": "AWSCURRENT"}
    assert cloud.refused("get_secret_value", SecretId="s", **both) == (
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
    )
    assert cloud.refused("get_secret_value", SecretId="s", VersionId=make_token(9)) == (
        "ResourceNotFoundException",
        f"Secrets Manager can't find the specified secret value for VersionId: {make_token(9)}",
    )


def test_a_value_is_a_text_or_binary(cloud: SecretCloud) -> None:
    cloud.create()
    both = {"SecretString": "x", "SecretBinary": b"x"}
    assert cloud.refused("create_secret", Name="t", **both)[0] == "InvalidParameterException"
    assert cloud.refused("put_secret_value", SecretId="s") == (
        "InvalidRequestException",
        "You must provide either SecretString or SecretBinary.",
    )


def test_a_value_has_65536_bytes_at_most(cloud: SecretCloud) -> None:
    cloud.create(SecretString="x" * 65_536)
    assert len(cloud.value()) == 65_536
    assert cloud.refused("put_secret_value", SecretId="s", SecretString="ä" * 40_000)[0] == "InvalidParameterException"


def test_a_label_is_moved(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    _put(cloud, 2, "blue")
    cloud.client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=make_token(1), MoveToVersionId=make_token(2)
    )
    assert cloud.stages() == {"AWSCURRENT": make_token(2), "AWSPREVIOUS": make_token(1), "blue": make_token(2)}
    cloud.client.update_secret_version_stage(
        SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=make_token(2), MoveToVersionId=make_token(1)
    )
    assert cloud.stages() == {"AWSCURRENT": make_token(1), "AWSPREVIOUS": make_token(2), "blue": make_token(2)}


def test_a_label_is_added_and_removed(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    change = cloud.client.update_secret_version_stage
    change(SecretId="s", VersionStage="blue", MoveToVersionId=make_token(1))
    change(SecretId="s", VersionStage="blue", MoveToVersionId=make_token(1))
    assert cloud.value(VersionStage="blue") == "first"
    change(SecretId="s", VersionStage="blue", RemoveFromVersionId=make_token(1))
    assert cloud.stages() == {"AWSCURRENT": make_token(1)}


def test_a_label_is_taken_from_the_version_that_has_it(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    _put(cloud, 2)
    moved = {"SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": make_token(1)}
    assert cloud.refused("update_secret_version_stage", **moved) == (
        "InvalidParameterException",
        f"The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "
        f"{make_token(2)}, so you must explicitly reference that version in RemoveFromVersionId.",
    )
    for wrong in ({"RemoveFromVersionId": make_token(1)}, {}):
        params = {"SecretId": "s", "VersionStage": "AWSCURRENT", **wrong}
        assert cloud.refused("update_secret_version_stage", **params)[0] == "InvalidParameterException"
    gone = {"SecretId": "s", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": make_token(2)}
    assert cloud.refused("update_secret_version_stage", **gone) == (
        "InvalidParameterException",
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    )
    absent = {"SecretId": "s", "VersionStage": "blue", "MoveToVersionId": make_token(9)}
    assert cloud.refused("update_secret_version_stage", **absent)[0] == "ResourceNotFoundException"


def test_a_secret_has_20_labels(cloud: SecretCloud) -> None:
    cloud.create(ClientRequestToken=make_token(1))
    _put(cloud, 2, *(f"label-{number}" for number in range(18)))
    assert cloud.client.update_secret_version_stage(SecretId="s", VersionStage="last", MoveToVersionId=make_token(1))
    more = {"SecretId": "s", "VersionStage": "more", "MoveToVersionId": make_token(1)}
    assert cloud.refused("update_secret_version_stage", **more)[0] == "LimitExceededException"
    # AWSPREVIOUS would be one more.
    assert cloud.refused("put_secret_value", SecretId="s", SecretString="x")[0] == "LimitExceededException"


def test_versions_are_listed_in_pages(cloud: SecretCloud) -> None:
    arn = cloud.create(ClientRequestToken=make_token(1))
    for number in range(2, 6):
        _put(cloud, number)
    listed = cloud.client.list_secret_version_ids(SecretId="s")
    assert (listed["ARN"], listed["Name"]) == (arn, "s")
    assert {each["VersionId"]: each["VersionStages"] for each in listed["Versions"]} == {
        make_token(4): ["AWSPREVIOUS"],
        make_token(5): ["AWSCURRENT"],
    }
    assert listed["Versions"][0]["KmsKeyIds"] == ["DefaultEncryptionKey"]
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = cloud.client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True, MaxResults=2, **token)
        seen += [each["VersionId"] for each in page["Versions"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(seen) == [make_token(number) for number in range(1, 6)]
    assert cloud.refused("list_secret_version_ids", SecretId="s", NextToken="?")[0] == "InvalidNextTokenException"


def test_a_hundred_versions_are_kept_and_all_of_the_last_day(timed: SecretCloud, standing: Standing) -> None:
    timed.create(ClientRequestToken=make_token(1))
    for number in range(2, 111):
        _put(timed, number)

    def count() -> int:
        seen = 0
        token: dict[str, str] = {}
        while True:
            page = timed.client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True, **token)
            seen += len(page["Versions"])
            if "NextToken" not in page:
                return seen
            token = {"NextToken": page["NextToken"]}

    assert count() == 110
    standing.advance("1d1h")
    _put(timed, 111)
    assert count() == 100
    assert timed.stages() == {"AWSCURRENT": make_token(111), "AWSPREVIOUS": make_token(110)}
