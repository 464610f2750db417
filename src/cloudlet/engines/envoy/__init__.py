"""Envoy, the proxy that moves the traffic of load balancers and meshes (decision 0016).

A block says which listeners, routes and targets an Envoy is to have (`snapshot`), and hands that over by Envoy's own
protocol, xDS (`configuration_server`). The keeper runs Envoy (`program`), and gives it sockets of the machine
(`socket_handover`).
"""
