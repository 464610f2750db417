"""Issuance and renewal of certificates. A renewed one has a new key, under the same ARN."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.acm import authority, certificate, events, states, timers, validation
from cloudlet.services.acm.authority import NewCertificate
from cloudlet.services.acm.certificate_record import Certificate, Material, Renewal


async def make(block: Block, wanted: Certificate) -> NewCertificate:
    """Return a certificate for the names of a request."""
    return await authority.issue(block, wanted.account, wanted.domains, wanted.key_algorithm)


def to_issued(block: Block, wanted: Certificate, made: NewCertificate, now: float) -> tuple[Certificate, Material]:
    """Return a request as the certificate that it becomes, and its material."""
    key = certificate.encrypt_key(block, wanted.arn, made.key)
    return states.move(wanted, states.ISSUED, facts=made.facts, issued=now), Material(made.body, made.chain, key)


def save(tx: Transaction, issued: Certificate, material: Material) -> None:
    """Write a certificate that was issued now."""
    certificate.save_material(tx, issued.arn, material)
    certificate.save(tx, timers.schedule(tx, issued))


async def renew(block: Block, known: Certificate) -> bool:
    """Renew a certificate; return whether its domains are still validated, as they have to be."""
    validated = await validation.list_validated(block, known)
    is_validated = validation.has_all(known, validated)
    made = await make(block, known) if is_validated else None

    async def body(tx: Transaction) -> None:
        found = await certificate.find(tx, known.account, known.region, known.name)
        # It may have been revoked, deleted or renewed meanwhile.
        if found is None or found.status != states.ISSUED or found.issued != known.issued:
            return
        now = block.clock.now()
        if made is None:
            certificate.save(tx, replace(found, validated=validated, renewal=Renewal("PENDING_VALIDATION", now)))
            return
        renewed, material = to_issued(block, replace(found, validated=validated), made, now)
        renewed = replace(renewed, renewal=Renewal("SUCCESS", now))
        save(tx, renewed, material)
        events.tell_available(tx, renewed, "RENEWAL", now)

    await block.store.transact(body)
    return is_validated
