"""An online shop out of small services that talk through Amazon SNS and Amazon SQS."""
