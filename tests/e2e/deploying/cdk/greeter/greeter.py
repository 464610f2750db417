"""A greeting."""


def handler(event, context):
    print(f"greeting {event['whom']}")  # noqa: T201
    return "hello"
