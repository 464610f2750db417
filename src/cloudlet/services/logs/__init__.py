"""Amazon CloudWatch Logs: log groups, streams, events, and finding them.

Programs put events into a stream of a log group, in batches; readers go through a stream in both directions, or search
a whole group with filter patterns.

What it promises: an event that `PutLogEvents` has answered for is on disk, and is seen by the next read (on AWS it may
take seconds). Events of one stream come in the order of their timestamps, and those of one timestamp in the order in
which they were put. Retention follows the cloud's clock: an expired event is never shown.

Behaviour: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/ and, for operations, limits and errors,
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/. Differences: docs/services/logs.md.
"""
