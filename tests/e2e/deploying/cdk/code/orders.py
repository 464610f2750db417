import json
import os

import boto3

GREETING = "hello"


def handler(event, context):
    if "httpMethod" in event:
        return {"statusCode": 200, "body": GREETING}
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for record in event.get("Records", [{"body": json.dumps(event.get("detail"))}]):
        table.put_item(Item={"id": context.aws_request_id, "what": record["body"]})
        boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=context.aws_request_id, Body=b"label")
    return None
