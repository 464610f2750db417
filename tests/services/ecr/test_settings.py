"""Settings of a registry: the account's, scans, and whose pulls count."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import Registry, make_image, open_registry

NAME = "shop/web"


def test_account_settings(ecr: Any) -> None:
    assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
    ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
    assert ecr.get_account_setting(name="REGISTRY_POLICY_SCOPE")["value"] == "V1"
    assert code_of(ecr.get_account_setting, name="COLOR") == "InvalidParameterException"
    assert code_of(ecr.put_account_setting, name="BLOB_MOUNTING", value="MAYBE") == "InvalidParameterException"


def test_pulls_that_do_not_count(ecr: Any) -> None:
    arns = [f"arn:aws:iam::123456789012:role/{name}" for name in ("a", "b")]
    for arn in arns:
        assert ecr.register_pull_time_update_exclusion(principalArn=arn)["principalArn"] == arn
    code = code_of(ecr.register_pull_time_update_exclusion, principalArn=arns[0])
    assert code == "ExclusionAlreadyExistsException"
    first = ecr.list_pull_time_update_exclusions(maxResults=1)
    second = ecr.list_pull_time_update_exclusions(maxResults=1, nextToken=first["nextToken"])
    assert [*first["pullTimeUpdateExclusions"], *second["pullTimeUpdateExclusions"]] == arns
    ecr.deregister_pull_time_update_exclusion(principalArn=arns[0])
    assert ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == arns[1:]
    code = code_of(ecr.deregister_pull_time_update_exclusion, principalArn=arns[0])
    assert code == "ExclusionNotFoundException"
    for number in range(9):
        ecr.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::123456789012:user/{number}")
    code = code_of(ecr.register_pull_time_update_exclusion, principalArn="arn:aws:iam::123456789012:user/x")
    assert code == "LimitExceededException"


class TestScans:
    def test_their_configuration(self, ecr: Any, shop: Registry) -> None:
        assert ecr.get_registry_scanning_configuration()["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}
        rules = [
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [{"filter": "shop/*", "filterType": "WILDCARD"}],
            }
        ]
        ecr.put_registry_scanning_configuration(scanType="BASIC", rules=rules)
        answer = ecr.batch_get_repository_scanning_configuration(repositoryNames=[NAME, "none"])
        (found,) = answer["scanningConfigurations"]
        assert (found["scanOnPush"], found["scanFrequency"]) == (True, "SCAN_ON_PUSH")
        assert found["appliedScanFilters"] == rules[0]["repositoryFilters"]
        assert [each["failureCode"] for each in answer["failures"]] == ["REPOSITORY_NOT_FOUND"]
        assert code_of(ecr.put_registry_scanning_configuration, scanType="ENHANCED") == "ValidationException"
        continuous = [{**rules[0], "scanFrequency": "CONTINUOUS_SCAN"}]
        assert code_of(ecr.put_registry_scanning_configuration, rules=continuous) == "ValidationException"

    def test_there_is_no_scanner(self, aws: Aws, ecr: Any) -> None:
        shop = open_registry(aws, NAME, imageScanningConfiguration={"scanOnPush": True})
        shop.push(make_image(b"layer"), "v1")
        (shown,) = ecr.describe_images(repositoryName=NAME)["imageDetails"]
        assert shown["imageScanStatus"]["status"] == "FAILED"
        named = {"repositoryName": NAME, "imageId": {"imageTag": "v1"}}
        assert ecr.describe_image_scan_findings(**named)["imageScanStatus"] == shown["imageScanStatus"]
        code, message = refused(ecr.start_image_scan, **named)
        assert (code, "no scanner" in message) == ("ValidationException", True)

    def test_a_scan_that_was_never_to_be_made(self, ecr: Any, shop: Registry) -> None:
        shop.push(make_image(b"layer"), "v1")
        asked = {"repositoryName": NAME, "imageId": {"imageTag": "v1"}}
        assert code_of(ecr.describe_image_scan_findings, **asked) == "ScanNotFoundException"
        absent = {"repositoryName": NAME, "imageId": {"imageTag": "v2"}}
        assert code_of(ecr.start_image_scan, **absent) == "ImageNotFoundException"


def test_what_is_not_built_says_so(ecr: Any) -> None:
    assert code_of(ecr.get_signing_configuration) == "NotImplemented"
