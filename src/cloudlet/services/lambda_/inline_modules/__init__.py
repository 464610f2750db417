"""Modules that AWS puts beside functions whose source is in a template: `cfnresponse` and `cfn-response`.

CloudFormation user guide, "cfn-response module". A package has them where its source speaks of them.
"""
