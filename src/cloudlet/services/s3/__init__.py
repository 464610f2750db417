"""Amazon S3: buckets of objects.

A bucket has a name that is unique in this Cloudlet, an owner and settings; below it are objects, by key, each with one
version or, where versioning is on, all there ever were.

What it promises: an object that a write has answered for is on disk, whole, and survives a crash; a write that was not
answered for is there whole or not at all. Reads see all writes before them, listings too. Large objects are never in
memory: they are hashed and written as they arrive, and sent from the file by the kernel. What nobody refers to any
more is removed from the disk, also after a crash.

Behaviour: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ and, for operations, limits and errors,
https://docs.aws.amazon.com/AmazonS3/latest/API/. Differences: docs/services/s3.md.
"""
