"""Which engine carries the embedded store: RocksDB, SQLite and LMDB through the store's own API.

    python -m benchmarks.engines --rows 1000000          # the comparison, about 8 minutes
    python -m benchmarks.engines.tuning --rows 1000000   # RocksDB's options, one changed at a time

Every operation is a transaction of `cloudlet.store.embedded.EmbeddedStore`; only the ordered map below it changes.
LMDB's binding is needed for this benchmark alone: `pip install lmdb`. docs/decisions/0001-embedded-engine.md says
what came of it.
"""
