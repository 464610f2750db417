"""Amazon DynamoDB and DynamoDB Streams: tables of items, found by key.

A table holds items of up to 400 KB, each under a partition key and, if the table has one, a sort key. Secondary indexes
show the same items under other keys. Streams tell of each change, in order.

What it promises: a write that was answered for is on disk, with its indexes and its stream's record, and survives a
crash. Reads are always strongly consistent, those of global indexes too. A transaction happens whole or not at all.
Numbers are exact to 38 digits. A read of ten million items' table is as fast as that of an empty one.

Behaviour: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ and, for operations, limits and errors,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/. Differences: docs/services/dynamodb.md.
"""
