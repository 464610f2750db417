"""The way to read resources of AWS X-Ray."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, find_in, read_tags


def _find_rule(properties: Properties) -> Any:
    records = properties[ANSWER]["SamplingRuleRecords"]
    return next((one for one in records if one["SamplingRule"]["RuleARN"] == properties["RuleARN"]), None)


READINGS: Final = {
    "AWS::XRay::Group": Reading(
        Read(Call("GetGroup", {"GroupName": None})),
        (read_tags("ListTagsForResource", "ResourceARN", "GroupARN"),),
        Listing(Call("GetGroups")),
    ),
    "AWS::XRay::SamplingRule": Reading(
        Read(Call("GetSamplingRules"), {"SamplingRule": "SamplingRule"}, root=_find_rule, is_exact=True),
        (read_tags("ListTagsForResource", "ResourceARN", "RuleARN"),),
        Listing(Call("GetSamplingRules"), properties={"RuleARN": "SamplingRule.RuleARN"}),
    ),
    "AWS::XRay::ResourcePolicy": Reading(
        Read(Call("ListResourcePolicies"), root=find_in("ResourcePolicies", "PolicyName", "PolicyName")),
        list=Listing(Call("ListResourcePolicies")),
    ),
}
