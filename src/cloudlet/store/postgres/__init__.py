"""The PostgreSQL engine: several processes, on several machines, over one database (see docs/postgresql.md).

Commits of a keyspace are serialised by its *turn*, a number that each commit makes greater by one. A process that knows
the state as of one turn runs transactions on what it has in memory and commits many of them together, in one
statement that does nothing unless that turn is still the last. So nothing is locked while transactions run, a process
that hangs stops nobody, and while one group is being committed the next one already runs. Once another process has
had a turn in between, it takes the turn by locking the number before it runs any transaction, so that it cannot lose
again, and reads from the log of turns what the others have changed.
"""

from cloudlet.store.postgres.engine import PostgresStore

__all__ = ["PostgresStore"]
