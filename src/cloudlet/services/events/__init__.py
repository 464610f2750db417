"""Amazon EventBridge: buses, which hand the events put on them to the targets of the rules that match.

A target is an SQS queue, an SNS topic, another bus, a function, a log group or an HTTP endpoint, where those blocks are
there. What it gets is the event, a part of it, or a text made of it. Delivery is tried again as AWS does, then given up
to a dead-letter queue. Rules of the default bus may run by a schedule instead.

What it promises: an event that `PutEvents` has answered for is on disk for each target of each rule that matched it,
and is delivered at least once, also after a crash. A slow or dead target holds up no other.

Behaviour: https://docs.aws.amazon.com/eventbridge/latest/userguide/ and, for operations, limits and errors,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/. Differences: docs/services/events.md.
"""
