def handler(event, context):
    return {"PhysicalResourceId": "seeded", "Data": {"Word": event["ResourceProperties"]["word"]}}
