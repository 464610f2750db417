"""The configuration of Envoys, by pure functions of the resources of a mesh.

They are what AWS's Envoy management service sends, with the same names as far as these are known, so that statistics
and logs read as with AWS. `building.build` begins; nothing here reads the store or the clock.
"""
