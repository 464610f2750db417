"""Measures DynamoDB: `python -m benchmarks.dynamodb`, explained in README.md."""

import sys
from collections.abc import Sequence

from benchmarks import dynamodb_scenarios
from benchmarks.contenders import DYNAMODB_CONTENDERS
from benchmarks.dynamodb_scenarios import DynamoApi
from benchmarks.rounds import (
    Settings,
    Speeds,
    compare,
    measure_speeds,
    parser,
    speed_rows,
)
from benchmarks.scenarios import Started

SPEEDS: Speeds = {
    "get": ("GetItem", "requests", dynamodb_scenarios.get),
    "put": ("PutItem", "requests", dynamodb_scenarios.put),
    "update": ("UpdateItem", "requests", dynamodb_scenarios.update),
    "query": ("Query of 10 items", "requests", dynamodb_scenarios.query),
    "batch": ("BatchWriteItem of 25", "items", dynamodb_scenarios.batch),
    "transact": ("TransactWriteItems of 2 updates", "requests", dynamodb_scenarios.transact),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if Cloudlet failed anywhere or was asked for and could not be measured."""
    options = parser("DynamoDB", DYNAMODB_CONTENDERS).parse_args(arguments)
    return compare(
        "python -m benchmarks.dynamodb " + " ".join(sys.argv[1:] if arguments is None else arguments),
        options,
        Settings(options.rounds, options.seconds),
        DYNAMODB_CONTENDERS,
        speed_rows(SPEEDS),
        lambda run, contender, number: measure_speeds(run, contender, number, SPEEDS),
        api=DynamoApi,
        server=Started,
    )


if __name__ == "__main__":
    sys.exit(main())
