"""The resources that requests are about, as policies see them: ARNs and condition keys.

Requests name users, roles and others by names alone, in any case, so that their ARNs have to be looked up. What cannot
be known is "*", which broad policies alone admit. Sources: Service Authorization Reference, "Actions, resources, and
condition keys for AWS Identity and Access Management (IAM)", and the IAM API Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.authorization.catalog import Rule
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.iam import access_keys, principals, service_linked_roles
from cloudlet.services.iam.api_server_certificates import SERVER_CERTIFICATES
from cloudlet.services.iam.entities import GROUPS, INSTANCE_PROFILES, POLICIES, ROLES, USERS, Kind
from cloudlet.services.iam.entity_record import Entity, Identity
from cloudlet.services.iam.mfa_devices import MFA_DEVICES
from cloudlet.services.iam.providers import OIDC_PROVIDERS, SAML_PROVIDERS
from cloudlet.services.iam.user_credentials import SERVICE_CREDENTIALS

UNKNOWN: Final = "*"
_ANY_USER: Final = "user/*"


@dataclass(frozen=True, slots=True)
class Subject:
    """A resource that a request is about."""

    arn: str
    entity: Entity | None = None
    """The record, if it is there."""

    def list_keys(self, rule: Rule) -> Keys:
        """Return its condition keys, as far as an operation has them."""
        found = self.entity
        if found is None:
            return {}
        keys: Keys = {
            f"{prefix}:ResourceTag/{name}": value for name, value in found.tags.items() for prefix in ("aws", "iam")
        }
        if isinstance(found, Identity) and found.boundary and "iam:PermissionsBoundary" in rule.condition_keys:
            keys["iam:PermissionsBoundary"] = found.boundary
        return keys


Finder = Callable[[Context, Transaction, Params], Coroutine[Any, Any, list[Subject]]]

_NAMED: Final[dict[str, Kind[Any]]] = {
    "user": USERS,
    "group": GROUPS,
    "role": ROLES,
    "instance-profile": INSTANCE_PROFILES,
    "server-certificate": SERVER_CERTIFICATES,
}
"""The kinds that requests name without their paths, by the resource types of their ARNs."""
_BY_ARN: Final[dict[str, tuple[Kind[Any], str]]] = {
    "policy": (POLICIES, "PolicyArn"),
    "mfa": (MFA_DEVICES, "SerialNumber"),
    "oidc-provider": (OIDC_PROVIDERS, "OpenIDConnectProviderArn"),
    "saml-provider": (SAML_PROVIDERS, "SAMLProviderArn"),
}
"""The kinds that requests name by their ARNs, with the members that have them."""
_CREATED: Final[dict[str, tuple[str, str]]] = {
    "CreateUser": ("user", "UserName"),
    "CreateGroup": ("group", "GroupName"),
    "CreateRole": ("role", "RoleName"),
    "CreateInstanceProfile": ("instance-profile", "InstanceProfileName"),
    "UploadServerCertificate": ("server-certificate", "ServerCertificateName"),
    "CreatePolicy": ("policy", "PolicyName"),
    "CreateVirtualMFADevice": ("mfa", "VirtualMFADeviceName"),
    "CreateSAMLProvider": ("saml-provider", "Name"),
}
"""The operations that create something with a path and a name."""


async def list_subjects(ctx: Context, tx: Transaction, operation: str, rule: Rule, params: Params) -> list[Subject]:
    """Return what a request is about; all are to be allowed."""
    if special := _SPECIAL.get(operation):
        return await special(ctx, tx, params)
    if created := _CREATED.get(operation):
        kind, member = created
        return [Subject(_make_arn(ctx, f"{kind}{params.get('Path') or '/'}{params[member]}"))]
    types = {pattern.split(":", 5)[-1].split("/")[0] for pattern in rule.resources}
    if len(types & _NAMED.keys()) == len(types) == 1:
        return await _find_named(ctx, tx, types.pop(), params)
    for kind in types & _BY_ARN.keys():
        return [await _find_by_arn(ctx, tx, params[_BY_ARN[kind][1]], *_BY_ARN[kind])]
    return [Subject(UNKNOWN)]


def _make_arn(ctx: Context, resource: str) -> str:
    return f"arn:{partition_of(ctx.region)}:iam::{ctx.account}:{resource}"


async def _find_named(ctx: Context, tx: Transaction, type_: str, params: Params) -> list[Subject]:
    """Return what a request names, also by the name or path that it gets."""
    kind = _NAMED[type_]
    name = params.get(kind.name_member)
    if name is None:
        # Only users are left out.
        return [await _find_caller(ctx, tx)]
    found: Entity | None = await kind.find(tx, ctx.account, name)
    subject = Subject(_make_arn(ctx, f"{type_}/{name}") if found is None else found.arn, found)
    new_name, new_path = params.get(f"New{kind.name_member}"), params.get("NewPath")
    if found is None or not (new_name or new_path):
        return [subject]
    renamed = f"{type_}{new_path or found.path}{new_name or found.name}"
    return [subject, replace(subject, arn=_make_arn(ctx, renamed))]


async def _find_caller(ctx: Context, tx: Transaction) -> Subject:
    if ctx.principal.kind != "user":
        return Subject(UNKNOWN)
    found = await USERS.find(tx, ctx.account, ctx.principal.arn.rpartition("/")[2])
    return Subject(ctx.principal.arn, found)


async def _find_by_arn(ctx: Context, tx: Transaction, arn: str, kind: Kind[Any], member: str) -> Subject:
    """Return what an ARN names; its record, if it is of the account."""
    resource = arn.split(":", 5)[-1]
    if not arn.startswith("arn:"):
        return Subject(UNKNOWN)
    # Names of OpenID Connect providers have slashes; nothing else has a name with one.
    name = resource.partition("/")[2] if kind is OIDC_PROVIDERS else resource.rpartition("/")[2]
    found = await kind.find(tx, ctx.account, name)
    return Subject(arn, found if found is not None and found.arn == arn else None)


async def _find_principal(ctx: Context, tx: Transaction, arn: str) -> list[Subject]:
    """Return the user, group or role of an ARN; roles are found without paths, too."""
    found = await principals.find(tx, arn)
    return [Subject(arn if found is None else found.arn, found)]


async def _find_caller_subject(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    return [await _find_caller(ctx, tx)]


async def _find_source(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    return await _find_principal(ctx, tx, params["PolicySourceArn"])


async def _find_entity(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    arn: str = params["Arn"]
    if ":policy/" in arn:
        return [await _find_by_arn(ctx, tx, arn, *_BY_ARN["policy"])]
    return await _find_principal(ctx, tx, arn)


async def _find_key_owner(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    key = await access_keys.find(tx, params["AccessKeyId"])
    if key is None or key.account != ctx.account or not key.user:
        return [Subject(UNKNOWN)]
    user = await USERS.get(tx, ctx.account, key.user)
    return [Subject(user.arn, user)]


async def _find_credential_users(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    if params.get("AllUsers"):
        return [Subject(_make_arn(ctx, _ANY_USER))]
    return await _find_named(ctx, tx, "user", params)


async def _make_provider(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    return [Subject(_make_arn(ctx, f"oidc-provider/{params['Url'].removeprefix('https://')}"))]


async def _make_linked_role(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    principal, suffix = params["AWSServiceName"], params.get("CustomSuffix")
    template = service_linked_roles.find(principal)
    if template is None:
        return [Subject(UNKNOWN)]
    name = f"{template.name}_{suffix}" if suffix else template.name
    return [Subject(_make_arn(ctx, f"role/aws-service-role/{principal}/{name}"))]


async def _find_deleted_role(ctx: Context, tx: Transaction, params: Params) -> list[Subject]:
    kind, _, resource = params["DeletionTaskId"].rpartition("/")[0].partition("/")
    return [Subject(_make_arn(ctx, f"role/{resource}") if kind == "task" and resource else UNKNOWN)]


_SPECIAL: Final[dict[str, Finder]] = {
    "ChangePassword": _find_caller_subject,
    "CreateOpenIDConnectProvider": _make_provider,
    "CreateServiceLinkedRole": _make_linked_role,
    "GenerateServiceLastAccessedDetails": _find_entity,
    "GetAccessKeyLastUsed": _find_key_owner,
    "GetContextKeysForPrincipalPolicy": _find_source,
    "GetServiceLinkedRoleDeletionStatus": _find_deleted_role,
    "ListPoliciesGrantingServiceAccess": _find_entity,
    "ListServiceSpecificCredentials": _find_credential_users,
    "SimulatePrincipalPolicy": _find_source,
}
"""The operations whose members say in another way what they are about."""


async def find_credential_service(ctx: Context, tx: Transaction, subject: Subject, params: Params) -> str | None:
    """Return the service of a service-specific credential that a request is about, or None."""
    if (id := params.get("ServiceSpecificCredentialId")) is None or subject.entity is None:
        return params.get("ServiceName")
    found = await SERVICE_CREDENTIALS.find(tx, ctx.account, subject.entity.key, id)
    return None if found is None else found.service
