"""The validation of domains, by a CNAME record that only their owners can enter.

A domain and the names below its `*.` have one record, the same for all certificates of an account (user guide, "DNS
validation").
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.service import Params, Result
from cloudlet.services.acm import domain_names
from cloudlet.services.acm.certificate_record import Certificate
from cloudlet.services.acm.dns import find_cname

METHOD = "DNS"
_TOKEN_DIGITS = 32
_LABEL_LETTERS = 10


class Record(NamedTuple):
    """A CNAME record, without final dots."""

    name: str
    value: str


def needs_records(block: Block) -> bool:
    """Whether domains have to be validated by records.

    Where this Cloudlet has no Route 53, nobody could enter one: all domains count as the user's own then, since what a
    private authority says of them counts for nobody else.
    """
    return block.cloud.has("route53")


def is_of_ecs(name: str) -> bool:
    """Whether a name is one that Amazon ECS gives to services, and validates itself."""
    return name.endswith(".on.aws") and ".ecs." in name


async def list_validated(block: Block, certificate: Certificate) -> tuple[str, ...]:
    """Return the domains of a certificate, without `*.`, whose record is there."""
    bases = dict.fromkeys(map(domain_names.get_base, certificate.domains))
    if not needs_records(block):
        return tuple(bases)

    async def call(operation: str, params: Params) -> Result:
        account, region = certificate.account, certificate.region
        return await block.call("route53", operation, params, account=account, region=region)

    validated = [base for base in bases if is_of_ecs(base) and base in certificate.validated]
    for base in bases:
        if base in validated:
            continue
        record = make_record(certificate.account, base)
        try:
            if await find_cname(call, record.name) == record.value:
                validated.append(base)
        except AwsError:
            # It is looked for again.
            continue
    return tuple(validated)


def has_all(certificate: Certificate, validated: tuple[str, ...]) -> bool:
    """Whether all domains of a certificate are among those that are validated."""
    return all(domain_names.get_base(name) in validated for name in certificate.domains)


def make_record(account: str, base: str) -> Record:
    """Return the record by which an account validates a domain."""
    digest = sha256(f"acm {account} {base}".encode()).hexdigest()
    name, value = digest[:_TOKEN_DIGITS], digest[_TOKEN_DIGITS : 2 * _TOKEN_DIGITS]
    letters = sha256(digest.encode()).digest()[:_LABEL_LETTERS]
    label = "".join(chr(ord("a") + byte % 26) for byte in letters)
    return Record(f"_{name}.{base}", f"_{value}.{label}.acm-validations.aws")


def describe_domains(certificate: Certificate) -> list[dict[str, Any]]:
    """Return how far the validation of each name is, as DomainValidation."""
    return [
        {
            "DomainName": name,
            "ValidationDomain": certificate.validation_domains.get(name, domain_names.get_base(name)),
            "ValidationStatus": get_status(certificate, name),
            "ResourceRecord": describe_record(certificate, name),
            "ValidationMethod": METHOD,
        }
        for name in certificate.domains
    ]


def describe_record(certificate: Certificate, name: str) -> dict[str, str]:
    """Return the record that validates a name, as the API has it."""
    record = make_record(certificate.account, domain_names.get_base(name))
    return {"Name": f"{record.name}.", "Type": "CNAME", "Value": f"{record.value}."}


def get_status(certificate: Certificate, name: str) -> str:
    """Return how far the validation of a name is."""
    if domain_names.get_base(name) in certificate.validated:
        return "SUCCESS"
    return "FAILED" if certificate.status in ("FAILED", "VALIDATION_TIMED_OUT") else "PENDING_VALIDATION"
