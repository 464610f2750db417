"""Amazon SQS: message queues, standard and FIFO.

A queue holds messages until a consumer has received and deleted them. A received message is hidden for a visibility
timeout and comes back if it was not deleted by then; after too many receives it goes to a dead-letter queue.

What it promises: a message that `SendMessage` has answered for is on disk and survives a crash; it is delivered until
it is deleted, expires or is purged. FIFO queues deliver the messages of a group in order, one batch at a time, and
store a message once however often it is sent within five minutes. Counters and visibility are exact and depend on
the clock alone. A queue of a million messages is as fast as an empty one, and takes no more memory.

Behaviour: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/ and, for operations, limits and
errors, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/. Differences: docs/services/sqs.md.
"""
