"""An online shop out of small services that talk through Amazon DynamoDB, S3, SNS and SQS."""
