"""The configuration of Envoys: pure functions from the resources of a mesh to the resources of an Envoy.

They are what AWS's Envoy management service sends, with the same names as far as these are known, so that statistics
and logs read as with AWS. `building.build` begins; nothing here reads the store or the clock.
"""
