"""Trails: what can be set, and what is refused."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.iam_users import allow, make_policy
from tests.refused import code_of, refused
from tests.services.cloudtrail.places import make_bucket, make_role


@pytest.fixture
def bucket(aws: Aws) -> str:
    name = f"trail-{secrets.token_hex(8)}"
    return make_bucket(aws, name)


def test_a_trail_is_made_changed_and_deleted(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    arn = f"arn:aws:cloudtrail:{aws.region}:{aws.account}:trail/audit"
    made = trails.create_trail(Name="audit", S3BucketName=bucket, S3KeyPrefix="all")
    assert (made["TrailARN"], made["S3BucketName"], made["S3KeyPrefix"]) == (arn, bucket, "all")
    assert (made["IncludeGlobalServiceEvents"], made["IsMultiRegionTrail"]) == (True, False)
    assert trails.get_trail_status(Name="audit")["IsLogging"] is False

    trails.start_logging(Name=arn)
    status = trails.get_trail_status(Name="audit")
    assert status["IsLogging"] is True
    assert status["StartLoggingTime"]
    trails.stop_logging(Name="audit")
    assert trails.get_trail_status(Name=arn)["TimeLoggingStopped"]

    changed = trails.update_trail(Name="audit", S3KeyPrefix="", EnableLogFileValidation=True)
    assert (changed.get("S3KeyPrefix"), changed["LogFileValidationEnabled"]) == (None, True)
    assert trails.get_trail(Name=arn)["Trail"]["HomeRegion"] == aws.region
    assert trails.list_trails()["Trails"] == [{"TrailARN": arn, "Name": "audit", "HomeRegion": aws.region}]
    trails.delete_trail(Name="audit")
    assert trails.describe_trails()["trailList"] == []
    assert code_of(trails.get_trail, Name="audit") == "TrailNotFoundException"


def test_a_trail_of_all_regions_is_seen_in_others_and_changed_at_home(aws: Aws, bucket: str) -> None:
    trails, abroad = aws.client("cloudtrail"), aws.client("cloudtrail", region_name="eu-west-1")
    arn = trails.create_trail(Name="everywhere", S3BucketName=bucket, IsMultiRegionTrail=True)["TrailARN"]
    trails.create_trail(Name="here", S3BucketName=bucket)
    assert [each["Name"] for each in abroad.describe_trails()["trailList"]] == ["everywhere"]
    assert abroad.describe_trails(includeShadowTrails=False)["trailList"] == []
    assert abroad.get_trail(Name=arn)["Trail"]["HomeRegion"] == aws.region
    assert code_of(abroad.start_logging, Name=arn) == "InvalidHomeRegionException"
    assert code_of(abroad.start_logging, Name="here") == "TrailNotFoundException"
    assert code_of(abroad.create_trail, Name="everywhere", S3BucketName=bucket) == "TrailAlreadyExistsException"


def test_a_region_has_five_trails(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    for number in range(5):
        trails.create_trail(Name=f"trail-{number}", S3BucketName=bucket)
    too_many = code_of(trails.create_trail, Name="trail-5", S3BucketName=bucket)
    assert too_many == "MaximumNumberOfTrailsExceededException"


_ROLE = {"CloudWatchLogsRoleArn": "arn:aws:iam::{account}:role/trail"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "ab"}, "InvalidTrailNameException"),
        ({"Name": "my--trail"}, "InvalidTrailNameException"),
        ({"Name": "192.168.5.4"}, "InvalidTrailNameException"),
        ({"S3BucketName": "bucket-that-is-not-there-at-all"}, "S3BucketDoesNotExistException"),
        ({"S3BucketName": "no/name"}, "InvalidS3BucketNameException"),
        ({"S3KeyPrefix": "x" * 201}, "InvalidS3PrefixException"),
        ({"SnsTopicName": "no such name"}, "InvalidSnsTopicNameException"),
        ({"SnsTopicName": "missing"}, "InsufficientSnsTopicPolicyException"),
        (
            {"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False},
            "InvalidParameterCombinationException",
        ),
        ({"IsOrganizationTrail": True}, "OrganizationsNotInUseException"),
        ({"KmsKeyId": "no key"}, "InvalidKmsKeyIdException"),
        ({"KmsKeyId": "alias/absent"}, "KmsKeyNotFoundException"),
        (
            {"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:{account}:log-group:g:*"},
            "InvalidCloudWatchLogsRoleArnException",
        ),
        (
            {"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:{account}:log-group:g:*", **_ROLE},
            "InvalidCloudWatchLogsLogGroupArnException",
        ),
        (
            {"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:999999999999:log-group:g:*", **_ROLE},
            "InvalidCloudWatchLogsLogGroupArnException",
        ),
        ({"TagsList": [{"Key": "aws:x", "Value": "y"}]}, "InvalidTagParameterException"),
    ],
)
def test_what_cannot_be_a_trail(aws: Aws, bucket: str, params: dict[str, Any], code: str) -> None:
    named = {
        name: value.replace("{account}", aws.account) if isinstance(value, str) else value
        for name, value in params.items()
    }
    make_role(aws)
    wanted = {"Name": "audit", "S3BucketName": bucket, **named}
    trails = aws.client("cloudtrail")
    assert code_of(trails.create_trail, **wanted) == code
    assert trails.list_trails()["Trails"] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 1 characters."),
        (
            "a" * 129,
            "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters.",
        ),
    ],
)
def test_a_trail_has_a_name_of_some_length(trails: Any, bucket: str, name: str, message: str) -> None:
    expected = ("InvalidTrailNameException", message)
    assert refused(trails.create_trail, Name=name, S3BucketName=bucket) == expected
    assert refused(trails.get_trail_status, Name=name) == expected


def test_a_trail_that_is_not_there_is_named_by_its_arn(trails: Any, aws: Aws) -> None:
    arn = f"arn:aws:cloudtrail:{aws.region}:{aws.account}:trail/audit"
    for call in (trails.get_trail, trails.get_trail_status, trails.start_logging, trails.delete_trail):
        for name in ("audit", arn):
            code, message = refused(call, Name=name)
            assert (code, message) == ("TrailNotFoundException", f"Unknown trail: {arn} for the user: {aws.account}")


def test_trails_have_tags(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    arn = trails.create_trail(Name="audit", S3BucketName=bucket, TagsList=[{"Key": "a", "Value": "1"}])["TrailARN"]
    trails.add_tags(ResourceId=arn, TagsList=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    trails.remove_tags(ResourceId=arn, TagsList=[{"Key": "b"}])
    (listed,) = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert listed == {"ResourceId": arn, "TagsList": [{"Key": "a", "Value": "3"}]}
    many = [{"Key": str(number)} for number in range(50)]
    assert code_of(trails.add_tags, ResourceId=arn, TagsList=many) == "TagsLimitExceededException"
    assert code_of(trails.list_tags, ResourceIdList=[arn + "x"]) == "ResourceNotFoundException"
    assert code_of(trails.list_tags, ResourceIdList=["audit"]) == "CloudTrailARNInvalidException"


def test_selectors_of_one_kind_take_the_place_of_the_other(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    trails.create_trail(Name="audit", S3BucketName=bucket)
    (default,) = trails.get_event_selectors(TrailName="audit")["EventSelectors"]
    assert (default["ReadWriteType"], default["IncludeManagementEvents"]) == ("All", True)
    assert trails.get_trail(Name="audit")["Trail"]["HasCustomEventSelectors"] is False

    fields = [{"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]}]
    advanced = [{"Name": "changes", "FieldSelectors": fields}]
    trails.put_event_selectors(TrailName="audit", AdvancedEventSelectors=advanced)
    told = trails.get_event_selectors(TrailName="audit")
    assert told["AdvancedEventSelectors"] == advanced
    assert "EventSelectors" not in told
    assert trails.get_trail(Name="audit")["Trail"]["HasCustomEventSelectors"] is True

    basic = [{"ReadWriteType": "WriteOnly", "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}]
    trails.put_event_selectors(TrailName="audit", EventSelectors=basic)
    told = trails.get_event_selectors(TrailName="audit")
    assert told["EventSelectors"][0]["IncludeManagementEvents"] is True
    assert "AdvancedEventSelectors" not in told


def _advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": list(fields)}]}


_DATA = {"Field": "eventCategory", "Equals": ["Data"]}
_OBJECTS = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
_MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


@pytest.mark.parametrize(
    "selectors",
    [
        {},
        {"EventSelectors": []},
        {"EventSelectors": [{}] * 6},
        {"EventSelectors": [{"IncludeManagementEvents": False}]},
        {"EventSelectors": [{"DataResources": [{"Type": "AWS::SQS::Queue", "Values": ["arn:aws:sqs"]}]}]},
        {"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:sns"]}]}]},
        {"EventSelectors": [{"ExcludeManagementEventSources": ["sqs.amazonaws.com"]}]},
        _advanced({"Field": "readOnly", "Equals": ["true"]}),
        _advanced({"Field": "eventCategory", "Equals": ["NetworkActivity"]}),
        _advanced(_DATA),
        _advanced(_DATA, _OBJECTS, {"Field": "readOnly", "StartsWith": ["t"]}),
        _advanced(_DATA, _OBJECTS, {"Field": "eventName"}),
        _advanced(_DATA, _OBJECTS, {"Field": "errorCode", "Equals": ["x"]}),
        _advanced(_MANAGEMENT, {"Field": "eventName", "Equals": ["CreateQueue"]}),
        _advanced(_MANAGEMENT, {"Field": "userIdentity.arn", "EndsWith": ["root"]}),
        _advanced(_MANAGEMENT, {"Field": "eventSource", "Equals": ["sqs.amazonaws.com"]}),
        _advanced(_MANAGEMENT, {"Field": "eventSource", "NotEquals": ["sqs.amazonaws.com"]}),
        {"EventSelectors": [{}], **_advanced(_DATA, _OBJECTS)},
    ],
)
def test_what_cannot_be_selectors(aws: Aws, bucket: str, selectors: dict[str, Any]) -> None:
    trails = aws.client("cloudtrail")
    trails.create_trail(Name="audit", S3BucketName=bucket)
    assert code_of(trails.put_event_selectors, TrailName="audit", **selectors) == "InvalidEventSelectorsException"


def test_advanced_selectors_leave_out_the_management_events_of_kms(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    trails.create_trail(Name="audit", S3BucketName=bucket)
    sources = {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]}
    put = trails.put_event_selectors(TrailName="audit", **_advanced(_MANAGEMENT, sources))
    assert put["AdvancedEventSelectors"][0]["FieldSelectors"] == [_MANAGEMENT, sources]


def test_nothing_has_insights(aws: Aws, bucket: str) -> None:
    trails = aws.client("cloudtrail")
    trails.create_trail(Name="audit", S3BucketName=bucket)
    store = trails.create_event_data_store(Name="store")["EventDataStoreArn"]
    read = trails.get_insight_selectors
    assert code_of(read, TrailName="audit") == "InsightNotEnabledException"
    assert code_of(read, EventDataStore=store) == "InsightNotEnabledException"
    assert code_of(read, TrailName="missing") == "TrailNotFoundException"
    assert code_of(read, TrailName="audit", EventDataStore=store) == "InvalidParameterCombinationException"
    assert code_of(read) == "InvalidParameterException"


def test_the_public_key_of_now_is_listed(aws: Aws) -> None:
    trails = aws.client("cloudtrail")
    (key,) = trails.list_public_keys()["PublicKeyList"]
    assert len(key["Fingerprint"]) == 32
    assert key["ValidityStartTime"] < key["ValidityEndTime"]
    assert trails.list_public_keys()["PublicKeyList"] == [key]
    assert trails.list_public_keys(StartTime=1e9, EndTime=1.1e9)["PublicKeyList"] == []
    assert code_of(trails.list_public_keys, StartTime=2e9, EndTime=1e9) == "InvalidTimeRangeException"


def test_a_trail_has_a_key(aws: Aws, trails: Any, bucket: str) -> None:
    kms = aws.client("kms")
    admitted = {**allow("kms:*"), "Principal": {"AWS": aws.account, "Service": "cloudtrail.amazonaws.com"}}
    key = kms.create_key(Policy=make_policy(admitted))["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/trails", TargetKeyId=key)
    made = trails.create_trail(Name="audit", S3BucketName=bucket, KmsKeyId="alias/trails")
    assert made["KmsKeyId"] == key
    assert trails.get_trail(Name="audit")["Trail"]["KmsKeyId"] == key
    assert trails.update_trail(Name="audit", IsMultiRegionTrail=True)["KmsKeyId"] == key
    assert "KmsKeyId" not in trails.update_trail(Name="audit", KmsKeyId="")
    kms.disable_key(KeyId=key)
    assert code_of(trails.update_trail, Name="audit", KmsKeyId=key) == "KmsException"
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT", Policy=make_policy(admitted))
    assert code_of(trails.update_trail, Name="audit", KmsKeyId=pair["KeyMetadata"]["Arn"]) == "KmsException"
