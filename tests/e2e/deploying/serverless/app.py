import sys

GREETING = "hello"


def handler(event, context):
    sys.stdout.write(f"asked for {event.get('path')}\n")
    return {"statusCode": 200, "body": GREETING}
