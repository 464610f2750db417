"""Networks without Docker: namespaces that route, interfaces in them, and what they let through.

`namespaces` makes and enters network namespaces, `netlink` sets up their interfaces, and `router` is a virtual network:
a namespace that routes between those of the programs in it. `peering` links virtual networks. It works as root and, in
a user namespace, as any user.
"""
