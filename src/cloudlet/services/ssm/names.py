"""Names of parameters: their rules, and how requests refer to a parameter.

User guide, "Requirements and constraints for parameter names". A name of one level is the same with and without its
slash: `/a` and `a` are one parameter.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.ssm.errors import ParameterNotFound, ValidationError

Levels = tuple[str, ...]

PUBLIC: Final = "/aws/service/"
SECRETS: Final = "/aws/reference/secretsmanager/"
MAX_HIERARCHY_LEVELS: Final = 15
MAX_ARN_CHARACTERS: Final = 1011

_NAME: Final = re.compile(r"(?!/?ssm)(?:(?:/[a-z0-9_.-]+)+|[a-z0-9_.-]+)", re.ASCII | re.IGNORECASE)
_FLAT: Final = re.compile(r"[a-z0-9_.-]+(?:/[a-z0-9_.-]+)+", re.ASCII | re.IGNORECASE)
_SELECTOR: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_PATH: Final = re.compile(r"(?!/ssm)(?:/[a-z0-9_.-]+)*/?", re.ASCII | re.IGNORECASE)
_WRONG_NAME: Final = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 "
    "symbols .-_"
)
_WRONG_PATH: Final = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with \\"aws\\" or \\"ssm\\" (case-insensitive). It must use only letters, numbers, '
    "or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All "
    'sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)
_TOO_DEEP: Final = (
    "A hierarchy can have a maximum of 15 levels. For more information, see Requirements and constraints for parameter "
    "names in the AWS Systems Manager User Guide."
)


class Reference(NamedTuple):
    """A parameter as a request refers to it, perhaps with a version or a label."""

    account: str
    region: str
    name: str
    selector: str = ""
    """The number of a version, or a label; empty for the latest version."""

    @property
    def arn(self) -> str:
        return make_arn(self.account, self.region, self.name)


def get_levels(name: str) -> Levels:
    """Return the levels of a name or a path in the hierarchy."""
    return tuple(level for level in name.split("/") if level)


def make_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of a parameter, or of a path."""
    return str(Arn(partition_of(region), "ssm", region, account, f"parameter/{name.removeprefix('/')}"))


def parse_reference(ctx: Context, text: str) -> Reference:
    """Return what a request refers to by a name or an ARN. Raises ValidationException, ParameterNotFound."""
    text = text.strip()
    account, region = ctx.account, ctx.region
    if text.startswith("arn:"):
        arn = parse_arn(text)
        if arn.region != ctx.region:
            raise ParameterNotFound
        account, text = arn.account, arn.resource.removeprefix("parameter")
    name, colon, selector = text.partition(":")
    if not _NAME.fullmatch(name) or (colon and not _SELECTOR.fullmatch(selector)):
        raise ValidationError(_WRONG_NAME)
    return Reference(account, region, name, selector)


def parse_arn(text: str) -> Arn:
    """Return the parts of a parameter's ARN. Raises ValidationException."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise ValidationError(_WRONG_NAME) from None
    if arn.service != "ssm" or not arn.resource.startswith("parameter/"):
        raise ValidationError(_WRONG_NAME)
    return arn


def parse_own_name(ctx: Context, text: str) -> Reference:
    """Return what a request refers to that must have a name and no ARN. Raises ValidationException."""
    reference = Reference(ctx.account, ctx.region, text.strip())
    if not _NAME.fullmatch(reference.name):
        raise ValidationError(_WRONG_NAME)
    return reference


def validate_new_name(ctx: Context, text: str) -> Reference:
    """Return a name that a parameter can be given. Raises AwsError."""
    name = text.strip()
    if _FLAT.fullmatch(name):
        raise ValidationError("Parameter name must be a fully qualified name.")
    reference = parse_own_name(ctx, name)
    if name.removeprefix("/").lower().startswith("aws"):
        raise AwsError("AccessDeniedException", f"No access to reserved parameter name: {name}.", status=400)
    if len(get_levels(name)) > MAX_HIERARCHY_LEVELS:
        raise AwsError("HierarchyLevelLimitExceededException", _TOO_DEEP)
    if len(reference.arn) > MAX_ARN_CHARACTERS:
        raise ValidationError(
            f"Parameter name: can't have more than {MAX_ARN_CHARACTERS} characters together with the ARN before it."
        )
    return reference


def parse_path(text: str) -> Levels:
    """Return the levels of a path. Raises ValidationException."""
    text = text.strip()
    if not text.startswith("/") or not _PATH.fullmatch(text):
        raise ValidationError(_WRONG_PATH)
    levels = get_levels(text)
    if len(levels) > MAX_HIERARCHY_LEVELS:
        raise ValidationError(_TOO_DEEP)
    return levels
