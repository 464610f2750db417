"""DynamoDB Streams: the changes of a table, in order, for 24 hours."""
