"""The data plane of load balancers: Envoy's configuration, and what Envoy tells.


`view` has what is known of the load balancers of one VPC, in AWS's own shapes. `snapshot` makes Envoy's resources of
it, by a module for each subject. `serving` runs an Envoy for each VPC.
"""
