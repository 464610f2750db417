"""Tags that CloudFormation alone sets and removes, whatever the block.

Template reference, "CloudFormation resource tagging".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.authorization.condition_keys import TAG_MEMBERS, list_requested_tags
from cloudlet.core.aws.tags import STACK_TAGS
from cloudlet.core.kernel.errors import AwsError

if TYPE_CHECKING:
    from cloudlet.core.kernel.context import Context

CLOUDFORMATION: Final = "cloudformation.amazonaws.com"


def can_set(context: Context) -> bool:
    """Whether a caller may set the tags that CloudFormation sets."""
    return context.principal.invoked_by == CLOUDFORMATION


def check(context: Context, params: Mapping[str, Any]) -> None:
    """Raise AwsError where a request has system tags that its caller may not set."""
    if TAG_MEMBERS.isdisjoint(params) or can_set(context):
        return
    found = next((key for key in list_requested_tags(params) if key in STACK_TAGS), None)
    if found is None:
        return
    message = f"The tag key {found} is invalid: keys that begin with aws: are reserved."
    raise AwsError(context.block.service.reserved_tag, message)
