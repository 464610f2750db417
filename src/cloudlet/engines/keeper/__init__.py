"""The keeper: the process that runs what must outlive the block that wants it.

Containers, and later databases, caches and proxies, are programs of the keeper, in virtual networks that it holds. A
block that is killed finds them running when it comes back. The keeper knows nothing of AWS. It ends, with all that it
runs, when the Cloudlet that it belongs to ends.

`protocol` has its messages, `process` is the process, `client` the way to it.
"""
