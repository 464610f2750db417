"""Queries of CloudTrail Lake: what they find, how their results come, and what they cannot do."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.modes import meaningless_in
from tests.refused import code_of
from tests.services.cloudtrail.lake import answered, ended, seen, store_id
from tests.services.cloudtrail.places import make_bucket
from tests.standing import Standing, eventually

_WITH_POLICY = meaningless_in("strict", because="queues are created with a policy")


@pytest.fixture
def store(aws: Aws, trails: Any) -> str:
    """The id of a store with the events of three queues that were created."""
    return make_store(aws, trails)


@pytest.fixture(scope="module")
def shared(cloudlet_server: Server) -> Iterator[tuple[Any, str]]:
    """A client and such a store, of an account that several tests only read."""
    with cloudlet_server.account() as aws:
        trails = aws.client("cloudtrail")
        yield trails, make_store(aws, trails)


def make_store(aws: Aws, trails: Any) -> str:
    made = trails.create_event_data_store(Name="audit")["EventDataStoreArn"]
    for name in ("one", "two", "three"):
        aws.client("sqs").create_queue(QueueName=name, Attributes={"DelaySeconds": "3"})
        seen(aws, name)
    return store_id(made)


def test_a_query_and_its_statistics(trails: Any, store: str) -> None:
    statement = f"""SELECT eventName, requestParameters['queueName'] AS queue FROM {store}
        WHERE eventSource = 'sqs.amazonaws.com' AND readOnly = false ORDER BY queue"""
    query = trails.start_query(QueryStatement=statement)["QueryId"]
    said = ended(trails, query)
    assert (said["QueryStatus"], said["QueryString"]) == ("FINISHED", statement)
    statistics = said["QueryStatistics"]
    assert statistics["EventsMatched"] == 3
    assert statistics["EventsScanned"] >= 4
    assert statistics["BytesScanned"] > 1000
    answer = trails.get_query_results(QueryId=query)
    assert answer["QueryResultRows"] == [
        [{"eventName": "CreateQueue"}, {"queue": "one"}],
        [{"eventName": "CreateQueue"}, {"queue": "three"}],
        [{"eventName": "CreateQueue"}, {"queue": "two"}],
    ]
    assert answer["QueryStatistics"]["TotalResultsCount"] == 3
    assert trails.describe_query(EventDataStore=store)["QueryId"] == query


_MD5 = "0c c1 75 b9 c0 f1 b6 a8 31 c3 99 e2 69 77 26 61"
_NIGHT = "timestamp '2020-01-01 23:00:00', timestamp '2020-01-02 01:30:00'"


@pytest.mark.parametrize(
    ("select", "row"),
    [
        ("5 / 2 AS whole, 5 / 2.0 AS part, count(*) OVER () / 2 AS none", {"whole": "2", "part": "2.5", "none": "0"}),
        (f"date_diff('day', {_NIGHT}) AS d, date_diff('hour', {_NIGHT}) AS h", {"d": "0", "h": "2"}),
        ("timestamp '2020-01-01 12:00:00' AT TIME ZONE 'America/New_York' AS t", {"t": "2020-01-01 07:00:00.000"}),
        (
            "regexp_extract(eventName, 'x(.)', 1) IS NULL AS n, regexp_replace('ab', '(a)(b)', '$2$1') AS r",
            {"n": "true", "r": "ba"},
        ),
        (
            "any_match(ARRAY[1, 2], x -> x > 1) AS any, all_match(ARRAY[1, 2], x -> x > 1) AS every, "
            "none_match(ARRAY[1, 2], x -> date_diff('day', date '2020-01-01', date '2020-01-09') < x) AS no",
            {"any": "true", "every": "false", "no": "true"},
        ),
        (
            "json_extract_scalar(eventName, '$.a') IS NULL AND json_extract(eventName, '$.a') IS NULL AS no_json, "
            "json_extract_scalar(eventJson, '$.userIdentity') IS NULL AS no_scalar, "
            "json_extract_scalar('{\"a\": [{\"b\": true}]}', '$.a[0].b') AS b",
            {"no_json": "true", "no_scalar": "true", "b": "true"},
        ),
        ("md5(to_utf8('a')) AS m, json_array_get('[1, 2]', 1) AS j", {"m": _MD5, "j": "2"}),
        ("map_values(map_concat(requestParameters, map(ARRAY['queueName'], ARRAY['z'])))[1] AS v", {"v": "z"}),
        ("useridentity.type AS t", {"t": "Root"}),
        ("element_at(requestParameters, 'queueName') AS q", {"q": "one"}),
        ("json_extract_scalar(eventJson, '$.requestParameters.attributes.DelaySeconds') AS d", {"d": "3"}),
        pytest.param(
            "requestParameters AS p", {"p": '{queueName=one, attributes={"DelaySeconds":"3"}}'}, marks=_WITH_POLICY
        ),
        ("date_diff('hour', eventTime, now()) AS h", {"h": "0"}),
        ("regexp_like(eventName, '^Create') AS l, managementEvent AS m", {"l": "true", "m": "true"}),
        (
            "CASE WHEN errorCode IS NULL THEN 'fine' ELSE errorCode END AS e, errorMessage",
            {"e": "fine", "errorMessage": ""},
        ),
        ("cardinality(split(eventSource, '.')) AS n", {"n": "3"}),
        (
            "eventSource, upper(eventName), count(*) OVER (), element_at(ARRAY[userIdentity], 1).type",
            {"eventSource": "sqs.amazonaws.com", "_col1": "CREATEQUEUE", "_col2": "1", "type": "Root"},
        ),
        (
            "from_iso8601_timestamp('2026-01-01T02:00:00+02:00') AS t, ARRAY[from_unixtime(0, 'UTC')] AS a",
            {"t": "2026-01-01 00:00:00.000", "a": "[1970-01-01 00:00:00.000]"},
        ),
        ("to_hex(sha256(to_utf8(eventJson))) = upper(eventJsonChecksum) AS same", {"same": "true"}),
    ],
)
def test_functions_and_columns(shared: tuple[Any, str], select: str, row: dict[str, str]) -> None:
    trails, store = shared
    where = f"FROM {store} WHERE element_at(requestParameters, 'queueName') = 'one' AND eventName = 'CreateQueue'"
    assert answered(trails, f"SELECT {select} {where}") == [row]


def test_groups_joins_and_unions(aws: Aws, trails: Any, store: str) -> None:
    other = store_id(trails.create_event_data_store(Name="other")["EventDataStoreArn"])
    aws.client("sqs").create_queue(QueueName="four")
    seen(aws, "four")
    counted = f"""SELECT eventName AS name, count(*) AS n FROM {store} WHERE eventName = 'CreateQueue'
        GROUP BY eventName HAVING count(*) > 1"""
    assert answered(trails, counted) == [{"name": "CreateQueue", "n": "4"}]
    joined = f"""SELECT a.eventID = b.eventID AS same FROM {store} AS a INNER JOIN {other} AS b ON a.eventID = b.eventID
        WHERE a.eventName = 'CreateQueue'"""
    assert answered(trails, joined) == [{"same": "true"}]
    united = f"""WITH made AS (SELECT requestParameters['queueName'] AS q FROM {store} WHERE eventName = 'CreateQueue'
        UNION SELECT requestParameters['queueName'] FROM {other} WHERE eventName = 'CreateQueue')
        SELECT count(DISTINCT q) AS n FROM made"""
    assert answered(trails, united) == [{"n": "4"}]


def test_the_whole_record(trails: Any, store: str) -> None:
    (row,) = answered(trails, f"SELECT * FROM {store} WHERE requestParameters['queueName'] = 'one' LIMIT 1")
    record = json.loads(row["eventJson"])
    assert record["eventID"] == row["eventID"]
    assert row["userIdentity"].startswith("{type=Root, principalId=")
    assert row["eventTime"] == f"{record['eventTime'].replace('T', ' ').removesuffix('Z')}.000"


def test_time_is_that_of_the_clouds_clock(standing: Standing) -> None:
    aws = standing.account()
    trails = aws.client("cloudtrail")
    store = store_id(trails.create_event_data_store(Name="audit")["EventDataStoreArn"])
    aws.client("sqs").create_queue(QueueName="q")
    seen(aws, "q")
    query = f"SELECT now() AS n FROM {store} WHERE eventName = 'CreateQueue' AND eventTime > {{}} - interval '1' day"
    standing.advance("12h")
    assert len(answered(trails, query.format("now()"))) == 1
    standing.advance("36h")
    assert answered(trails, query.format("current_timestamp")) == []


def test_events_of_other_times_are_not_looked_at(standing: Standing) -> None:
    aws = standing.account()
    trails = aws.client("cloudtrail")
    store = store_id(trails.create_event_data_store(Name="audit")["EventDataStoreArn"])
    times = []
    for name in ("first", "second", "third"):
        standing.advance("1d")
        aws.client("sqs").create_queue(QueueName=name)
        seen(aws, name)
        (row,) = answered(trails, f"SELECT now() AS n FROM {store} WHERE requestParameters['queueName'] = '{name}'")
        times.append(row["n"])

    def scanned(where: str) -> tuple[list[str], int]:
        select = f"SELECT requestParameters['queueName'] AS q FROM {store} AS s"
        query = trails.start_query(QueryStatement=f"{select} WHERE eventName = 'CreateQueue' AND {where} ORDER BY 1")
        said = ended(trails, query["QueryId"])
        rows = trails.get_query_results(QueryId=query["QueryId"])["QueryResultRows"]
        return [row[0]["q"] for row in rows], said["QueryStatistics"]["EventsScanned"]

    first, second, third = times
    everything = scanned("true")
    assert everything[0] == ["first", "second", "third"]
    for where, names in (
        (f"(s.eventTime > timestamp '{first}' AND s.eventTime < timestamp '{third}')", ["second"]),
        (f"eventtime BETWEEN '{first}' AND '{second}'", ["first", "second"]),
        ("eventTime <= '1999-01-01'", []),
        ("eventTime >= date '2999-01-01'", []),
    ):
        found, count = scanned(where)
        assert found == names
        # What came on the third day is left out.
        assert count < everything[1]
    for where, names in (
        (f"eventTime >= '{second}'", ["second", "third"]),
        (f"eventTime > date '{third[:10]}'", ["third"]),
        (f"(eventTime > '{third}' OR eventTime <= '{first}')", ["first"]),
        (f"NOT eventTime > '{first}'", ["first"]),
        (f"eventTime > timestamp '{third}' - interval '1' hour", ["third"]),
        (f"{len(first)} > 0 AND '{second}' < eventTime", ["third"]),
    ):
        assert scanned(where)[0] == names


_ROWS = 'CAST(json_parse(\'[{"a": 1, "b": "x"}]\') AS ARRAY(ROW(a BIGINT, b VARCHAR)))'
_UNNESTED = {
    "UNNEST(requestParameters) AS t(k, v)": ("k", ["attributes", "queueName"]),
    "UNNEST(e.requestParameters) AS t(k, v)": ("v", ["one", '{"DelaySeconds":"3"}']),
    "UNNEST(requestParameters) WITH ORDINALITY AS t(k, v, n)": ("n", ["1", "2"]),
    "UNNEST(map_entries(requestParameters)) AS t(k, v)": ("k", ["attributes", "queueName"]),
    "UNNEST(map_keys(requestParameters)) AS t(k)": ("k", ["attributes", "queueName"]),
    "UNNEST(requestParameters, sequence(1, 3)) AS t(k, v, n)": ("n", ["1", "2", "3"]),
    "UNNEST(filter(resources, x -> x.type = 'AWS::SQS::Queue')) AS r": ("r.type", []),
    "UNNEST(resources) AS t(account, kind, arn, prefix)": ("kind", []),
    f"UNNEST({_ROWS}) AS t(a, b)": ("b", ["x"]),
    "UNNEST(ARRAY[ROW(1, 'x'), ROW(2, 'y')]) AS t(a, b)": ("b", ["x", "y"]),
    "UNNEST(userIdentity.sessionContext.webIdFederationData.attributes) AS t(k, v)": ("k", []),
}


@pytest.mark.parametrize(
    "unnested", [pytest.param(each, marks=_WITH_POLICY) if "e.request" in each else each for each in _UNNESTED]
)
def test_maps_and_rows_become_columns(shared: tuple[Any, str], unnested: str) -> None:
    trails, store = shared
    column, expected = _UNNESTED[unnested]
    statement = f"""SELECT {column} AS found FROM {store} AS e CROSS JOIN {unnested}
        WHERE eventName = 'CreateQueue' AND element_at(requestParameters, 'queueName') = 'one' ORDER BY found"""
    assert sorted(row["found"] for row in answered(trails, statement)) == sorted(expected)


def test_events_without_anything_to_unnest_stay_in_a_left_join(shared: tuple[Any, str]) -> None:
    trails, store = shared
    statement = f"""WITH q AS (SELECT eventName AS name, additionalEventData AS more FROM {store})
        SELECT name, k FROM q LEFT JOIN UNNEST(more) AS t(k, v) ON TRUE WHERE name = 'CreateQueue'"""
    assert answered(trails, statement) == [{"name": "CreateQueue", "k": ""}] * 3


def test_a_list_of_rows_has_a_name_for_each_column(shared: tuple[Any, str]) -> None:
    trails, store = shared
    statement = f"SELECT r FROM {store} CROSS JOIN UNNEST(resources) AS t(r)"
    assert code_of(trails.start_query, QueryStatement=statement) == "InvalidQueryStatementException"


def test_results_come_in_pages(trails: Any, store: str) -> None:
    statement = f"""SELECT n FROM {store} CROSS JOIN UNNEST(sequence(1, 1200)) AS t(n)
        WHERE requestParameters['queueName'] = 'one' ORDER BY n"""
    query = trails.start_query(QueryStatement=statement)["QueryId"]
    assert ended(trails, query)["QueryStatus"] == "FINISHED"
    rows, page = [], {}
    while True:
        answer = trails.get_query_results(QueryId=query, MaxQueryResults=500, **page)
        assert answer["QueryStatistics"]["TotalResultsCount"] == 1200
        rows += [int(row[0]["n"]) for row in answer["QueryResultRows"]]
        if "NextToken" not in answer:
            break
        page = {"NextToken": answer["NextToken"]}
    assert rows == list(range(1, 1201))
    assert code_of(trails.get_query_results, QueryId=query, NextToken="????") == "InvalidNextTokenException"


def test_a_result_is_delivered_to_a_bucket_and_signed(aws: Aws, trails: Any, store: str) -> None:
    s3, bucket = aws.client("s3"), make_bucket(aws, f"lake-{aws.account}")
    statement = f"""SELECT requestParameters['queueName'] AS queue, 'a"b' AS odd FROM {store}
        WHERE eventName = 'CreateQueue' ORDER BY queue"""
    query = trails.start_query(QueryStatement=statement, DeliveryS3Uri=f"s3://{bucket}/results/")["QueryId"]
    said = ended(trails, query)
    assert (said["DeliveryStatus"], said["DeliveryS3Uri"]) == ("SUCCESS", f"s3://{bucket}/results/")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folder = keys[0].rpartition("/")[0]
    assert keys == [f"{folder}/result_1.csv.gz", f"{folder}/result_sign.json"]
    assert folder.startswith(f"results/AWSLogs/{aws.account}/CloudTrail-Lake/Query/2")
    assert folder.endswith(f"/{query}")
    result = s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read()
    rows = list(csv.reader(gzip.decompress(result).decode().splitlines()))
    assert rows == [["queue", "odd"], ["one", 'a"b'], ["three", 'a"b'], ["two", 'a"b']]

    # As `aws cloudtrail verify-query-results` of the AWS CLI's version 2 does it.
    sign = json.loads(s3.get_object(Bucket=bucket, Key=keys[1])["Body"].read())
    hashes = [hashlib.sha256(result).hexdigest()]
    assert sign["files"] == [{"fileHashValue": hashes[0], "fileName": "result_1.csv.gz"}]
    public = trails.list_public_keys(StartTime=sign["queryCompleteTime"], EndTime=sign["queryCompleteTime"])
    (key,) = [each for each in public["PublicKeyList"] if each["Fingerprint"] == sign["publicKeyFingerprint"]]
    verifier = load_der_public_key(key["Value"])
    assert isinstance(verifier, RSAPublicKey)
    verifier.verify(bytes.fromhex(sign["hashSignature"]), " ".join(hashes).encode(), PKCS1v15(), SHA256())


def test_a_result_that_cannot_be_delivered(aws: Aws, trails: Any, store: str) -> None:
    s3, bucket = aws.client("s3"), make_bucket(aws, f"gone-{aws.account}")
    slow = f"""SELECT count(*) AS n FROM {store} CROSS JOIN UNNEST(sequence(1, 1000)) AS a(x)
        CROSS JOIN UNNEST(sequence(1, 2000)) AS b(y) WHERE x * y % 7 = 3"""
    query = trails.start_query(QueryStatement=slow, DeliveryS3Uri=f"s3://{bucket}")["QueryId"]
    s3.delete_bucket(Bucket=bucket)
    said = ended(trails, query)
    assert (said["QueryStatus"], said["DeliveryStatus"]) == ("FINISHED", "RESOURCE_NOT_FOUND")


def test_queries_are_listed(trails: Any, store: str) -> None:
    made = [trails.start_query(QueryStatement=f"SELECT {n} FROM {store}")["QueryId"] for n in range(3)]
    for query in made:
        ended(trails, query)
    first = trails.list_queries(EventDataStore=store, MaxResults=2)
    second = trails.list_queries(EventDataStore=store, NextToken=first["NextToken"])
    listed = first["Queries"] + second["Queries"]
    assert [each["QueryId"] for each in listed] == made[::-1]
    assert {each["QueryStatus"] for each in listed} == {"FINISHED"}
    assert trails.list_queries(EventDataStore=store, QueryStatus="FAILED")["Queries"] == []
    wrong = code_of(trails.list_queries, EventDataStore=store, StartTime=2, EndTime=1)
    assert wrong == "InvalidDateRangeException"


ENDLESS = """SELECT count(*) FROM {0} a CROSS JOIN UNNEST(sequence(1, 100000)) b(x)
    CROSS JOIN UNNEST(sequence(1, 100000)) c(y) WHERE x * y % 7 = 3"""


@pytest.mark.parametrize("statement", [ENDLESS, "SELECT rpad('a', 4000000000, 'b') AS x FROM {0}"])
def test_a_query_is_cancelled(trails: Any, store: str, statement: str) -> None:
    query = trails.start_query(QueryStatement=statement.format(store))["QueryId"]
    eventually(lambda: trails.describe_query(QueryId=query)["QueryStatus"], lambda status: status == "RUNNING")
    assert trails.cancel_query(QueryId=query)["QueryStatus"] == "CANCELLED"
    assert ended(trails, query)["QueryStatus"] == "CANCELLED"
    assert code_of(trails.cancel_query, QueryId=query) == "InactiveQueryException"
    # There is room for others again.
    for _ in range(3):
        assert answered(trails, f"SELECT 1 AS one FROM {store} LIMIT 1") == [{"one": "1"}]


def test_ten_queries_at_once(trails: Any, store: str) -> None:
    made = [trails.start_query(QueryStatement=ENDLESS.format(store))["QueryId"] for _ in range(10)]
    with pytest.raises(ClientError) as error:
        trails.start_query(QueryStatement=f"SELECT 1 FROM {store}")
    assert error.value.response["Error"]["Code"] == "MaxConcurrentQueriesException"
    for query in made:
        trails.cancel_query(QueryId=query)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT",
        "SELEKT 1 FROM {0}",
        "SELECT 1",
        "SELECT 1 FROM {0}; SELECT 2 FROM {0}",
        "DELETE FROM {0}",
        "CREATE TABLE x AS SELECT * FROM {0}",
        "SELECT * INTO x FROM {0}",
        "WITH x AS (DELETE FROM {0} RETURNING *) SELECT * FROM x",
        "SHOW TABLES",
        "SELECT * FROM {0}, duckdb_settings",
        "SELECT * FROM {0}, duckdb_settings()",
        "SELECT * FROM {0}, information_schema.tables",
        "SELECT * FROM {0}, read_csv('/etc/passwd')",
        "SELECT * FROM {0}, '/etc/passwd'",
        "SELECT * FROM {0} CROSS JOIN LATERAL read_text('/etc/passwd')",
        "SELECT * FROM {0}, TABLE(read_text('/etc/passwd'))",
        "SELECT current_setting('memory_limit') FROM {0}",
        "SELECT getenv('HOME') FROM {0}",
        "SELECT ? FROM {0}",
        "SELECT " + "(" * 2000 + "1" + ")" * 2000 + " FROM {0}",
        "SELECT nothing_of_this_name(eventName) FROM {0}",
        "SELECT json_value(eventJson, 'lax $.eventName') FROM {0}",
        "SELECT json_query(eventJson, 'lax $.eventName') FROM {0}",
        "SELECT 'unended FROM {0}",
    ],
)
def test_statements_that_are_refused(shared: tuple[Any, str], statement: str) -> None:
    trails, store = shared
    assert code_of(trails.start_query, QueryStatement=statement.format(store)) == "InvalidQueryStatementException"


def test_a_query_fails(trails: Any, store: str) -> None:
    for statement, why in (
        ("SELECT nope FROM {0}", "nope"),
        ("SELECT cast(eventName AS integer) FROM {0}", "Conversion"),
    ):
        query = trails.start_query(QueryStatement=statement.format(store))["QueryId"]
        said = ended(trails, query)
        assert said["QueryStatus"] == "FAILED"
        assert why in said["ErrorMessage"]
        answer = trails.get_query_results(QueryId=query)
        assert (answer["QueryStatus"], answer["QueryResultRows"]) == ("FAILED", [])


def test_a_result_that_is_too_large(trails: Any, store: str) -> None:
    statement = f"SELECT x FROM {store} CROSS JOIN UNNEST(sequence(1, 100000)) AS t(x)"
    query = trails.start_query(QueryStatement=statement)["QueryId"]
    said = ended(trails, query)
    assert said["QueryStatus"] == "FAILED"
    assert "100000 rows" in said["ErrorMessage"]


@pytest.mark.parametrize("select", ["rpad('a', 2000000, 'b')", "sequence(1, 1000000000)"])
def test_what_needs_too_much_memory(trails: Any, store: str, select: str) -> None:
    query = trails.start_query(QueryStatement=f"SELECT {select} AS x FROM {store} LIMIT 1")["QueryId"]
    said = ended(trails, query)
    assert said["QueryStatus"] == "FAILED"
    assert trails.get_query_results(QueryId=query)["QueryResultRows"] == []


def test_an_id_in_a_text_is_text(shared: tuple[Any, str]) -> None:
    trails, store = shared
    assert answered(trails, f"SELECT '{store}' AS s FROM {store} -- {store}\nLIMIT 1") == [{"s": store}]


def test_what_is_not_there_and_what_is_refused(trails: Any, store: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    missing = code_of(trails.start_query, QueryStatement=f"SELECT 1 FROM {unknown}")
    assert missing == "EventDataStoreNotFoundException"
    for call in (trails.describe_query, trails.get_query_results, trails.cancel_query):
        assert code_of(call, QueryId=unknown) == "QueryIdNotFoundException"
    statement = f"SELECT 1 FROM {store}"
    for params, code in (
        ({"EventDataStoreOwnerAccountId": "000000000001"}, "UnsupportedOperationException"),
        ({"DeliveryS3Uri": f"s3://missing-{store}"}, "S3BucketDoesNotExistException"),
        ({"DeliveryS3Uri": "https://bucket/a"}, "ValidationException"),
        ({"DeliveryS3Uri": f"s3://bucket/{'a' * 201}"}, "InvalidS3PrefixException"),
    ):
        assert code_of(trails.start_query, QueryStatement=statement, **params) == code
    assert code_of(trails.start_query, QueryAlias="alias") == "UnsupportedOperationException"
    assert code_of(trails.start_query) == "InvalidParameterException"
    assert code_of(trails.describe_query) == "InvalidParameterException"


def children(process: int) -> set[int]:
    """Return the children of a process."""
    files = Path(f"/proc/{process}/task").glob("*/children")
    return {int(child) for file in files for child in file.read_text().split()}


def test_a_crash_leaves_no_process_behind(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        assert server.process is not None
        trails = Aws(server.endpoint, fresh_account()).client("cloudtrail")
        store = store_id(trails.create_event_data_store(Name="audit")["EventDataStoreArn"])
        trails.start_query(QueryStatement=ENDLESS.format(store))
        (worker,) = eventually(lambda: children(server.process.pid))
        server.kill()
    assert eventually(lambda: not Path(f"/proc/{worker}").exists())


def test_a_query_that_a_crash_cut_short_is_executed_again(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        trails = aws.client("cloudtrail")
        store = store_id(trails.create_event_data_store(Name="audit")["EventDataStoreArn"])
        aws.client("sqs").create_queue(QueueName="q")
        seen(aws, "q")
        query = trails.start_query(QueryStatement=f"SELECT count(*) AS n FROM {store} WHERE eventName = 'CreateQueue'")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        trails = Aws(server.endpoint, account).client("cloudtrail")
        assert ended(trails, query["QueryId"])["QueryStatus"] == "FINISHED"
        assert trails.get_query_results(QueryId=query["QueryId"])["QueryResultRows"] == [[{"n": "1"}]]
