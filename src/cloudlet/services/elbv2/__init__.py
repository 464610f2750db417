"""Elastic Load Balancing: application and network load balancers, listeners, rules, target groups, trust stores.

The control plane is here, the data plane in `proxy`, which makes the configuration of Envoy out of it. Documented in
the user guides of both kinds of load balancers and the API Reference (2015-12-01); where Cloudlet differs:
docs/services/elbv2.md.
"""
