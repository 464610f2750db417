"""AWS App Mesh: meshes of services whose traffic goes through Envoys that this block configures.

AWS has ended App Mesh; here it lives on. An Envoy connects as a virtual node or a virtual gateway, and gets its whole
configuration (`proxy`) by xDS, again with each change. Documented in the App Mesh User Guide and API Reference; where
Cloudlet differs: docs/services/appmesh.md.
"""
