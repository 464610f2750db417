"""Imported key material in a key's record: added, put back, deleted and expired."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.services.kms import due, errors, key_spec, key_state, keys
from cloudlet.services.kms.key_record import CURRENT, PENDING_REPLICAS, PENDING_ROTATION, Key, Material
from cloudlet.services.kms.wrapping import IncorrectMaterial


def check_new(key: Key, material_id: str) -> None:
    """Raise AwsError unless a key takes material that it has not had yet."""
    if key.find_material(material_id) is not None:
        raise IncorrectMaterial("The key material is already associated with the KMS key.")
    if key.is_replica:
        raise errors.UnsupportedOperation(
            f"{key.arn} is a replica key: new key material is imported into its primary key."
        )
    if key.materials and key.spec != key_spec.SYMMETRIC:
        raise IncorrectMaterial("The key material is not the same as the key material that was imported before.")
    if any(each.is_pending for each in key.materials):
        raise errors.InvalidState(f"{key.arn} already has key material pending rotation.")


def add(key: Key, material: Material) -> Key:
    """Return a key with new material, which is current or waits for a rotation."""
    state = CURRENT
    if key.materials:
        state = PENDING_REPLICAS if len(key.regions) > 1 else PENDING_ROTATION
    return set_state(replace(key, materials=(*key.materials, replace(material, state=state))))


def put_back(key: Key, material: Material) -> Key:
    """Return a key with material that it has, or had, imported again."""
    known = key.find_material(material.id)
    if known is None:
        raise IncorrectMaterial("The key material is not associated with the KMS key.")
    kept = replace(
        known,
        secret=material.secret,
        valid_to=material.valid_to,
        description=known.description if material.description is None else material.description,
    )
    return set_state(replace(key, materials=tuple(kept if each.id == kept.id else each for each in key.materials)))


def drop(key: Key, material_id: str) -> Key:
    """Return a key without the secret of a material.

    One that waits for a rotation is forgotten.
    """
    left = tuple(
        replace(each, secret=b"", valid_to=None) if each.id == material_id else each
        for each in key.materials
        if not (each.id == material_id and each.is_pending)
    )
    return set_state(replace(key, materials=left))


def set_state(key: Key) -> Key:
    """Return a key in the state that its materials imply."""
    if key.state in (key_state.PENDING_DELETION, key_state.PENDING_REPLICA_DELETION):
        return key
    if key.lacks_material:
        return replace(key, state=key_state.PENDING_IMPORT)
    return replace(key, state=key_state.ENABLED) if key.state == key_state.PENDING_IMPORT else key


async def share_new(tx: Transaction, key: Key) -> None:
    """Have replicas know of new material of their primary key.

    It is to be imported into each of them.
    """
    new = key.materials[-1]
    for each in await keys.list_related(tx, key):
        known = Material(new.id, b"", new.state)
        keys.save(tx, set_state(replace(each, materials=(*each.materials, known), public_key=key.public_key)))


async def settle_replicas(tx: Transaction, key: Key) -> Key:
    """Return a key, whose new material is ready once all related keys have it.

    Those are written.
    """
    related = await keys.list_related(tx, key)
    ready = {
        each.id
        for each in key.materials
        if each.state == PENDING_REPLICAS
        and each.secret
        and all((theirs := other.find_material(each.id)) is not None and theirs.secret for other in related)
    }
    if not ready:
        return key
    for other in related:
        keys.save(tx, _make_ready(other, ready))
    return _make_ready(key, ready)


def _make_ready(key: Key, ready: set[str]) -> Key:
    states = (replace(each, state=PENDING_ROTATION) if each.id in ready else each for each in key.materials)
    return replace(key, materials=tuple(states))


def schedule_expiry(tx: Transaction, key: Key, material: Material) -> None:
    """Have material deleted when it expires."""
    if material.valid_to is not None:
        due.schedule(tx, "expire", material.valid_to, key.account, key.region, key.name)


def unschedule_expiry(tx: Transaction, key: Key, material: Material) -> None:
    """Have material not deleted when it would have expired, unless another one expires then."""
    shared = [each for each in key.materials if each.valid_to == material.valid_to]
    if len(shared) <= 1:
        due.unschedule(tx, "expire", material.valid_to, key.account, key.region, key.name)


def expire(key: Key, when: int) -> tuple[Key, list[str]]:
    """Return a key without the materials that have expired, and their ids.

    `when` is in milliseconds.
    """
    gone = [each.id for each in key.materials if each.valid_to is not None and int(each.valid_to * 1000) <= when]
    for material_id in gone:
        key = drop(key, material_id)
    return key, gone
