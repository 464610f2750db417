"""An online shop out of small services that talk through Amazon API Gateway, DynamoDB, Lambda, S3, SNS and SQS."""
