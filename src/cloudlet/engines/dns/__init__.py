"""A DNS server on UDP and TCP, with replies that are compiled once.

It knows nothing of zones: it asks a function for the reply to each query (`dns_server.DnsServer`). Messages are those
of RFC 1035, with EDNS (RFC 6891) and the client subnet option (RFC 7871); the wire format of records is dnspython's.
"""
