"""The ordered, transactional key-value store: see `interface` for what every engine offers."""

from cloudlet.store.interface import Conflict, Store, StoreError, Transaction
from cloudlet.store.tuple_keys import Subspace, pack, unpack

__all__ = ["Conflict", "Store", "StoreError", "Subspace", "Transaction", "pack", "unpack"]
