"""Amazon Route 53: hosted zones, health checks that check, and a DNS server.

The name server is a part of this block (`cloudlet up --dns PORT`): what ChangeResourceRecordSets has committed is
answered from then on. Documented in the Route 53 Developer Guide and API Reference; where Cloudlet differs:
docs/services/route53.md.
"""
