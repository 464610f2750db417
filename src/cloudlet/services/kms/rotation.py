"""Rotation: new material encrypts from then on, the old still decrypts."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.kms import keys, materials
from cloudlet.services.kms.key_record import Key, Material

AUTOMATIC: Final = "AUTOMATIC"
ON_DEMAND: Final = "ON_DEMAND"


async def rotate(block: Block, tx: Transaction, key: Key, new: Material, rotation: str, now: float) -> None:
    """Make a material current, in related keys as well.

    Imported material is among each key's already; other material goes to all of them now.
    """
    await keys.save_shared(tx, replace(key, materials=materials.rotate(key.materials, new, rotation, now)))
    for each in await keys.list_related(tx, key):
        theirs = each.find_material(new.id) or materials.replicate(block, key, new, each.region)
        keys.save(tx, replace(each, materials=materials.rotate(each.materials, theirs, rotation, now)))
