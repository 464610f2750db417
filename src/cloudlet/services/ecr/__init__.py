"""Amazon Elastic Container Registry: repositories of container images, and the registry that clients push to.

The API manages repositories, images and policies; the registry speaks the OCI distribution protocol 1.1 with podman,
skopeo, docker and the like. Layers are files, kept once for all repositories. What is acknowledged is on disk.

Documented in the Amazon ECR User Guide, the API Reference and the OCI distribution specification; where Cloudlet
differs: docs/services/ecr.md.
"""
