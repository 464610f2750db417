"""Amazon SNS: topics, which hand each message published to them to all of their subscribers.

A subscriber is an SQS queue, a function, an HTTP endpoint, a mail address, a telephone or an app on a device. A filter
policy lets it have a part of the messages only. Delivery is tried again as AWS does, then given up to a dead-letter
queue. FIFO topics keep the order within message groups, store a message once, and can archive and replay messages.

What it promises: a message that `Publish` has answered for is on disk, or in each of its subscribers' queues, and is
delivered at least once, also after a crash. A slow or dead subscriber holds up no other, and a backlog takes disk, not
memory.

Behaviour: https://docs.aws.amazon.com/sns/latest/dg/ and, for operations, limits and errors,
https://docs.aws.amazon.com/sns/latest/api/. Differences: docs/services/sns.md.
"""
