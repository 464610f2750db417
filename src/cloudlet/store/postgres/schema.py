"""The tables of a keyspace and the statements on them."""

from __future__ import annotations

import re

LONGEST_KEY = 2600
"""Bytes. An entry of a B-tree index takes at most a third of a page."""

LARGE_VALUE = 1024
"""Bytes. Larger values are not kept in memory, so they are not read before somebody asks for them."""

KEPT_TURNS = 10_000
"""How many turns the log goes back, at least."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")

_CREATE_SHARED = """
CREATE SCHEMA IF NOT EXISTS cloudlet;
CREATE TABLE IF NOT EXISTS cloudlet.turns (keyspace text PRIMARY KEY, number bigint NOT NULL) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS cloudlet.formats (number integer PRIMARY KEY);
"""

# Rows live shortly in many keyspaces (a queue's messages): dead ones must not wait for a fifth of the table to be dead.
_CREATE_OWN = """
CREATE TABLE IF NOT EXISTS {rows} (key bytea PRIMARY KEY, value bytea NOT NULL) WITH (
    fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 1
);
CREATE TABLE IF NOT EXISTS {log} (
    number bigint PRIMARY KEY, session bytea NOT NULL,
    keys bytea[] NOT NULL, lows bytea[] NOT NULL, highs bytea[] NOT NULL
);
"""

# Every statement is meant to go by the primary key, whatever the statistics of a young table make the planner think.
# A session that hangs while it has the turn loses it.
SETTINGS = """
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan; SET jit = off; SET default_transaction_isolation = 'read committed';
SET idle_in_transaction_session_timeout = '2s'; SET lock_timeout = '10s'; SET statement_timeout = '90s';
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 10000;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""

_READ = """
SELECT 0::bigint AS asked, int8send(number) AS key, ''::bytea AS value FROM cloudlet.turns WHERE keyspace = $1
UNION ALL
SELECT 1, key, value FROM {rows} WHERE key = ANY($2::bytea[])
UNION ALL
SELECT n + 1, found.key, found.value
FROM unnest($3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS scan(low, high, few, ahead, n),
LATERAL (
    SELECT key, CASE
        WHEN row_number() OVER (ORDER BY key) <= few THEN value
        WHEN row_number() OVER (ORDER BY key) <= few + ahead AND octet_length(value) <= {large} THEN value
    END AS value
    FROM {rows} WHERE key >= low AND key < high ORDER BY key LIMIT few + ahead + 1
) AS found
UNION ALL
SELECT -n, found.key, found.value
FROM unnest($7::bytea[], $8::bytea[], $9::bigint[]) WITH ORDINALITY AS scan(low, high, few, n),
LATERAL (SELECT key, value FROM {rows} WHERE key >= low AND key < high ORDER BY key DESC LIMIT few) AS found
"""

_COMMIT = """
WITH turn AS (
    UPDATE cloudlet.turns SET number = number + 1 WHERE keyspace = $1 AND number = $2 RETURNING number
), logged AS (
    INSERT INTO {log} SELECT number, $3::bytea, $4::bytea[] || $5::bytea[], $7::bytea[], $8::bytea[] FROM turn
), removed AS (
    DELETE FROM {rows} WHERE key = ANY($4::bytea[]) AND EXISTS (SELECT FROM turn)
), put AS (
    INSERT INTO {rows} (key, value) SELECT * FROM unnest($5::bytea[], $6::bytea[]) WHERE EXISTS (SELECT FROM turn)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
)
SELECT (SELECT count(pg_notify($9, payload)) FROM unnest($10::text[]) AS payload) FROM turn
"""

_CLEAR = "DELETE FROM {rows} USING unnest($1::bytea[], $2::bytea[]) AS range(low, high) WHERE key >= low AND key < high"

# What was changed after a turn: how many turns there were, the ranges cleared, then each key with its value.
_MISSED = """
WITH missed AS MATERIALIZED (SELECT keys, lows, highs FROM {log} WHERE number > $1)
SELECT 'turns' AS kind, int8send(count(*)) AS key, NULL::bytea AS value FROM missed
UNION ALL
SELECT 'cleared', low, high FROM missed, unnest(lows, highs) AS range(low, high)
UNION ALL
SELECT CASE WHEN row.key IS NULL THEN 'removed' WHEN octet_length(row.value) > {large} THEN 'large' ELSE 'put' END,
    changed.key, CASE WHEN octet_length(row.value) <= {large} THEN row.value END
FROM (SELECT DISTINCT unnest(keys) AS key FROM missed) AS changed LEFT JOIN {rows} AS row ON row.key = changed.key
"""

TURN = "SELECT number FROM cloudlet.turns WHERE keyspace = $1"
TAKE = f"{TURN} FOR UPDATE"
SKIP = "UPDATE cloudlet.turns SET number = number + 1 WHERE keyspace = $1"
ENROL = "INSERT INTO cloudlet.turns VALUES ($1, 0) ON CONFLICT (keyspace) DO NOTHING"
EXISTS = """
SELECT to_regclass('cloudlet.turns') IS NOT NULL AND to_regclass('cloudlet.formats') IS NOT NULL
AND to_regclass($1) IS NOT NULL
"""
MARK = "INSERT INTO cloudlet.formats VALUES ($1) ON CONFLICT (number) DO NOTHING"
FORMAT = "SELECT coalesce(max(number), 0) FROM cloudlet.formats"
SIZE = """
SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) AS name
WHERE NOT (pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean)
"""
"""NULL where the server takes no writes, or not any more."""
ROLE = """
SELECT current_user AS name,
    CASE WHEN to_regnamespace('cloudlet') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
    ELSE has_schema_privilege('cloudlet', 'CREATE') AND has_schema_privilege('cloudlet', 'USAGE') END AS creates,
    to_regnamespace('cloudlet') IS NULL AS is_new
"""
ROOM = """
SELECT least(
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true), '0')::integer
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
        - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
        - (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
)::integer
"""
"""How many more connections this role can have, beside the one that asks."""
CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"
DATABASE = "SELECT oid::text FROM pg_database WHERE datname = current_database()"


class Tables:
    """The statements of one keyspace. Raises ValueError for a name that makes no table."""

    def __init__(self, keyspace: str) -> None:
        if not _NAME.fullmatch(keyspace):
            raise ValueError(f"a keyspace's name has up to 40 of a-z, 0-9, '_', '.' and '-': {keyspace!r}")
        self.keyspace = keyspace
        self.channel = f"cloudlet_{keyspace}"
        self.rows = f'cloudlet."rows_{keyspace}"'
        self.log = f'cloudlet."log_{keyspace}"'
        self.create = (_CREATE_SHARED, self._named(_CREATE_OWN))
        self.read = self._named(_READ)
        self.commit = self._named(_COMMIT)
        self.clear = self._named(_CLEAR)
        self.missed = self._named(_MISSED)
        self.author = f"SELECT session FROM {self.log} WHERE number = $1"
        self.log_skip = f"INSERT INTO {self.log} VALUES ($1, $2, '{{}}', '{{}}', '{{}}')"
        self.prune = f"DELETE FROM {self.log} WHERE number < $1"
        self.statements = (
            *(TURN, TAKE, SKIP, SIZE, self.read, self.missed, self.commit, self.clear),
            *(self.author, self.log_skip, self.prune),
        )
        """What is asked of one session again and again."""

    def _named(self, statement: str) -> str:
        return statement.format(rows=self.rows, log=self.log, large=LARGE_VALUE)
