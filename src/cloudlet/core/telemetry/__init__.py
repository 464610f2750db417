"""Telemetry: what blocks tell CloudTrail, CloudWatch and X-Ray about the calls that they answer."""
