"""Cloudlet: a cloud for microservices on one machine, behind AWS's own wire protocols."""

__version__ = "0.1.0"
