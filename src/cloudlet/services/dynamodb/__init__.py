"""Amazon DynamoDB and DynamoDB Streams: tables of items under keys, indexes on them, and the log of their changes.

Behaviour: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ and, for operations, limits and errors,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/. Differences: docs/services/dynamodb.md.
"""
