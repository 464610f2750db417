"""AssumeRoleWithSAML."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from cloudlet.core import Arn, AwsError, Context, Params, Result
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.services.sts.block import service
from cloudlet.services.sts.errors import InvalidIdentityToken, ValidationError, is_missing
from cloudlet.services.sts.role_sessions import SessionRequest, open_session, validate_source_identity
from cloudlet.services.sts.roles import NotAuthorizedError, check_federated, find_role, get_duration, parse_role_arn
from cloudlet.services.sts.safe_xml import XmlError
from cloudlet.services.sts.saml_attributes import MULTIVALUED, SINGLE_VALUED
from cloudlet.services.sts.saml_metadata import SamlMetadata
from cloudlet.services.sts.saml_responses import Assertion, read_assertion
from cloudlet.services.sts.session_policies import read_session_policies
from cloudlet.services.sts.session_tags import SessionTags, make_session_tags

_OPERATION: Final = "AssumeRoleWithSAML"
_ATTRIBUTES: Final = "https://aws.amazon.com/SAML/Attributes/"
_PRINCIPAL_TAG: Final = f"{_ATTRIBUTES}PrincipalTag:"
_KIND: Final = "saml-provider/"
_NAME_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_NAME: Final = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")


@service.direct(_OPERATION)
async def assume_role_with_saml(ctx: Context, params: Params) -> Result:
    """Issue credentials of a role to a user of a SAML provider of its account."""
    arn = parse_role_arn(params["RoleArn"], "Request ARN is invalid")
    # Its record in CloudTrail belongs to the account of the role: the caller has none.
    ctx.account = arn.account
    provider = _parse_provider_arn(params["PrincipalArn"], arn.account)
    document = await _read_metadata(ctx, provider)
    assertion = await run_in_worker(arn.account, _verify, params["SAMLAssertion"], document, wall_time())
    if not _is_for_role(assertion, str(arn), str(provider)):
        raise NotAuthorizedError(f"sts:{_OPERATION}")
    request = _make_request(assertion, provider)
    role = await find_role(ctx, arn)
    if role is None:
        raise NotAuthorizedError(f"sts:{_OPERATION}")
    if ctx.strict:
        check_federated(ctx, role, str(provider), request.list_actions(_OPERATION), request.to_keys())
    seconds: float = get_duration(role, params.get("DurationSeconds"))
    if assertion.session_ends is not None:
        seconds = min(seconds, assertion.session_ends - wall_time())
        if seconds <= 0:
            raise InvalidIdentityToken("The session of the identity provider has ended")
    policies = await read_session_policies(ctx, params, arn.account)
    answer = open_session(ctx, role, request, policies, seconds, params)
    answer |= {
        "Subject": assertion.subject,
        "SubjectType": assertion.subject_format.removeprefix(_NAME_FORMAT),
        "Issuer": assertion.issuer,
        "Audience": assertion.recipient,
        "NameQualifier": _get_name_qualifier(assertion, provider),
    }
    return answer


def _parse_provider_arn(text: str, account: str) -> Arn:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise ValidationError("Principal ARN is invalid") from None
    if arn.service != "iam" or not _get_provider_name(arn) or not arn.resource.startswith(_KIND):
        raise ValidationError("Principal ARN is invalid")
    if arn.account != account:
        raise ValidationError("Principal exists outside the account of the Role being assumed")
    return arn


async def _read_metadata(ctx: Context, provider: Arn) -> str:
    """Return the metadata document of a provider. Raises AwsError."""
    try:
        answer = await ctx.block.call(
            "iam", "GetSAMLProvider", {"SAMLProviderArn": str(provider)}, account=provider.account, region=ctx.region
        )
    except AwsError as error:
        if is_missing(error):
            raise InvalidIdentityToken("Specified provider doesn't exist") from error
        raise
    found = answer or {}
    if found["ValidUntil"] <= ctx.now():
        raise InvalidIdentityToken("The metadata document of the provider is not valid any more")
    return str(found["SAMLMetadataDocument"])


def _verify(text: str, document: str, now: float) -> Assertion:
    """Return what a provider with this metadata asserts. Raises AwsError."""
    try:
        metadata = SamlMetadata.parse(document)
    except XmlError as error:
        raise InvalidIdentityToken("The metadata document of the provider cannot be read") from error
    assertion = read_assertion(text, metadata, now)
    if assertion.issuer != metadata.entity_id:
        raise InvalidIdentityToken("Issuer not present in specified provider")
    return assertion


def _is_for_role(assertion: Assertion, role: str, provider: str) -> bool:
    """Whether an assertion pairs the ARNs of a role and a provider, in either order."""
    pairs = assertion.attributes.get(f"{_ATTRIBUTES}Role", ())
    return any({part.strip() for part in pair.split(",")} == {role, provider} for pair in pairs)


def _make_request(assertion: Assertion, provider: Arn) -> SessionRequest:
    """Return the session that an assertion asks for. Raises AwsError."""
    name = _get_single(assertion, "RoleSessionName")
    if not name:
        raise InvalidIdentityToken("RoleSessionName is required in AuthnResponse")
    if not _NAME.fullmatch(name):
        raise InvalidIdentityToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    source_identity = validate_source_identity(_get_single(assertion, "SourceIdentity"))
    keys: dict[str, str | tuple[str, ...]] = {
        "saml:aud": assertion.recipient,
        "saml:doc": f"{provider.account}/{_get_provider_name(provider)}",
        "saml:iss": assertion.issuer,
        "saml:namequalifier": _get_name_qualifier(assertion, provider),
        "saml:sub": assertion.subject,
        "saml:sub_type": assertion.subject_format.removeprefix(_NAME_FORMAT),
    }
    for attribute, values in assertion.attributes.items():
        if values and (key := SINGLE_VALUED.get(attribute)):
            keys[key] = values[0]
        elif values and (key := MULTIVALUED.get(attribute)):
            keys[key] = values
    return SessionRequest(name, _make_tags(assertion), source_identity, str(provider), keys)


def _make_tags(assertion: Assertion) -> SessionTags:
    passed = []
    for attribute, values in assertion.attributes.items():
        if attribute.startswith(_PRINCIPAL_TAG):
            if len(values) != 1:
                raise InvalidIdentityToken(f"The attribute {attribute} must have one value")
            passed.append((attribute.removeprefix(_PRINCIPAL_TAG), values[0]))
    return make_session_tags(passed, assertion.attributes.get(f"{_ATTRIBUTES}TransitiveTagKeys", ()))


def _get_single(assertion: Assertion, name: str) -> str:
    """Return the value of one of AWS's attributes, empty where there is none. Raises AwsError for several."""
    values = assertion.attributes.get(_ATTRIBUTES + name, ())
    if len(values) > 1:
        raise InvalidIdentityToken(f"{name} in AuthnResponse must have one value")
    return values[0] if values else ""


def _get_provider_name(provider: Arn) -> str:
    return provider.resource.removeprefix(_KIND)


def _get_name_qualifier(assertion: Assertion, provider: Arn) -> str:
    """Return what tells subjects of the same name apart (API Reference, AssumeRoleWithSAML)."""
    text = f"{assertion.issuer}{provider.account}/{_get_provider_name(provider)}"
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()
