"""Repository creation templates. User guide, "Templates to control repositories created during …"."""

from __future__ import annotations

from typing import Any, Final, Literal

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.records import Records
from cloudlet.services.ecr.template_record import Template

Occasion = Literal["REPLICATION", "PULL_THROUGH_CACHE", "CREATE_ON_PUSH"]
ROOT: Final = "ROOT"


class _TemplateNotFound(AwsError):
    """A prefix that no template has."""

    def __init__(self, prefix: str) -> None:
        super().__init__("TemplateNotFoundException", f"The repository creation template '{prefix}' does not exist")


_records: Final = Records(Subspace("template"), Template, _TemplateNotFound)
find, get, save, remove, decode, get_space = (
    _records.find,
    _records.get,
    _records.save,
    _records.remove,
    _records.decode,
    _records.get_space,
)


async def choose(tx: Transaction, account: str, region: str, name: str, occasion: Occasion) -> Template | None:
    """Return the template of the longest prefix that a new repository's name has."""
    parts = name.split("/")
    for count in range(len(parts) - 1, -1, -1):
        found = await find(tx, account, region, "/".join(parts[:count]) or ROOT)
        if found is not None and occasion in found.applied_for:
            return found
    return None


def clean_prefix(given: str) -> str:
    """Return a prefix as it is kept."""
    return given.removesuffix("/")


def to_api(template: Template) -> dict[str, Any]:
    """Return a template as the API shows it."""
    encryption = {"encryptionType": template.encryption}
    if template.kms_key:
        encryption["kmsKey"] = template.kms_key
    return {
        "prefix": template.name,
        "description": template.description or None,
        "encryptionConfiguration": encryption,
        "resourceTags": tags.to_list(template.tags) or None,
        "imageTagMutability": template.mutability,
        "imageTagMutabilityExclusionFilters": [
            {"filterType": "WILDCARD", "filter": each} for each in template.exclusions
        ]
        or None,
        "repositoryPolicy": template.policy or None,
        "lifecyclePolicy": template.lifecycle or None,
        "appliedFor": list(template.applied_for),
        "customRoleArn": template.role or None,
        "createdAt": template.created,
        "updatedAt": template.updated,
    }
