"""An online shop out of small services that talk through Amazon SQS."""
