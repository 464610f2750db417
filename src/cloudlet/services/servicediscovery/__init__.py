"""AWS Cloud Map: namespaces and services, in which instances are found by name.

What is found by DNS comes from Route 53: a reconciler makes hosted zones, records and health checks there, by its
public
API. Documented in the Cloud Map Developer Guide and API Reference; where Cloudlet differs:
docs/services/servicediscovery.md.
"""
