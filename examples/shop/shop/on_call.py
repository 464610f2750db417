"""on-call: who is called when something is wrong, and again when it is well. This one only keeps a diary."""

from __future__ import annotations

import json
from typing import Any

from boto3.dynamodb.conditions import Key

from shop import names, tables
from shop.worker import serve


def ring(message: str) -> None:
    """Write down what CloudWatch has published: the new state of an alarm, and since when it is so."""
    told = json.loads(message)
    row = {"alarm": told["AlarmName"], "at": told["StateChangeTime"], "state": told["NewStateValue"]}
    dynamodb.put_item(TableName=names.CALLS, Item=row)
    print(f"{row['alarm']} is {row['state']}: {told['NewStateReason']}")


def latest(dynamodb: Any, name: str) -> str | None:
    """Return the state of an alarm that was heard of last, if any."""
    newest = {"ScanIndexForward": False, "Limit": 1}
    found = dynamodb.query(TableName=names.CALLS, KeyConditionExpression=Key("alarm").eq(name), **newest)["Items"]
    return str(found[0]["state"]) if found else None


if __name__ == "__main__":
    dynamodb = tables.client()
    serve("on-call", ring)
