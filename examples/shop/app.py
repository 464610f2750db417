"""The shop on AWS, as an application of the AWS CDK: `cdk deploy $(python deploy.py --publish)`.

What `cdk synth` makes of it is kept in infrastructure/template.json, which deploy.py deploys where there is no CDK.
"""

from __future__ import annotations

import aws_cdk as cdk
from infrastructure.stack import ShopStack

app = cdk.App(analytics_reporting=False)
ShopStack(app, "shop", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
app.synth()
