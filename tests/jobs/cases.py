"""What each kind of job does for an account: how it comes to have something to do, and how it is seen to be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

Call = Callable[..., dict[str, Any]]
"""Calls an operation of a block for an account."""
REGION = "us-east-1"


class Case(NamedTuple):
    """A kind of job."""

    function: str
    """What is called for one item of an account: module and name."""
    begin: Callable[[Call, str], None]
    """Gives the job something to do for an account."""
    is_done: Callable[[Call, str], bool]
    step: float = 0.0
    """So many seconds pass between two looks whether it is done."""


def _name(account: str) -> str:
    return f"of-{account}"


def _arn(service: str, account: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{account}:{resource}"


# -- queues and topics that tell whether something came


def _queue(call: Call, account: str) -> str:
    call("sqs", "CreateQueue", QueueName="q")
    return _arn("sqs", account, "q")


def _has_message(call: Call, account: str) -> bool:
    url = call("sqs", "GetQueueUrl", QueueName="q")["QueueUrl"]
    found = call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return found["Attributes"]["ApproximateNumberOfMessages"] != "0"


# -- CloudWatch


def _alarm(call: Call, account: str, **more: Any) -> None:
    call(
        "cloudwatch",
        "PutMetricAlarm",
        AlarmName="a",
        Namespace="N",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def _watch(call: Call, account: str) -> None:
    _alarm(call, account, TreatMissingData="breaching")


def _alarms(call: Call, account: str) -> bool:
    return bool(call("cloudwatch", "DescribeAlarms", StateValue="ALARM").get("MetricAlarms"))


def _act(call: Call, account: str) -> None:
    _alarm(call, account, AlarmActions=[_topic(call, account)])
    call("cloudwatch", "SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="why not")


# -- Application Auto Scaling

_SCALABLE_TARGET = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/tab",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}


def _schedule_bounds(call: Call, account: str) -> None:
    call(
        "dynamodb",
        "CreateTable",
        TableName="tab",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    call("application-autoscaling", "RegisterScalableTarget", **_SCALABLE_TARGET, MinCapacity=1, MaxCapacity=9)
    call(
        "application-autoscaling",
        "PutScheduledAction",
        **_SCALABLE_TARGET,
        ScheduledActionName="s",
        Schedule="rate(1 minute)",
        ScalableTargetAction={"MaxCapacity": 8},
    )


def _is_bounded(call: Call, account: str) -> bool:
    (target,) = call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="dynamodb")[
        "ScalableTargets"
    ]
    return bool(target["MaxCapacity"] == 8)


# -- CloudWatch Logs


def _log(call: Call, account: str) -> None:
    call("logs", "CreateLogGroup", logGroupName="g")
    call("logs", "CreateLogStream", logGroupName="g", logStreamName="s")


def _put(call: Call, message: str) -> None:
    events = [{"timestamp": call.now(), "message": message}]  # type: ignore[attr-defined]
    call("logs", "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)


def _filter(call: Call, account: str) -> None:
    _log(call, account)
    made = {"metricName": "m", "metricNamespace": "N", "metricValue": "1"}
    call("logs", "PutMetricFilter", logGroupName="g", filterName="f", filterPattern="", metricTransformations=[made])
    _put(call, "hello")


def _has_metric(call: Call, account: str) -> bool:
    return bool(call("cloudwatch", "ListMetrics", Namespace="N").get("Metrics"))


def _audit(call: Call, account: str) -> None:
    _log(call, account)
    call("logs", "CreateLogGroup", logGroupName="findings")
    identifiers = ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"]
    to = {"CloudWatchLogs": {"LogGroup": "findings"}}
    policy = {
        "Name": "p",
        "Version": "2021-06-01",
        "Statement": [
            {"Sid": "a", "DataIdentifier": identifiers, "Operation": {"Audit": {"FindingsDestination": to}}},
            {"Sid": "b", "DataIdentifier": identifiers, "Operation": {"Deidentify": {"MaskConfig": {}}}},
        ],
    }
    call("logs", "PutDataProtectionPolicy", logGroupIdentifier="g", policyDocument=json.dumps(policy))
    _put(call, "I am jane@example.com")


def _has_findings(call: Call, account: str) -> bool:
    return bool(call("logs", "DescribeLogStreams", logGroupName="findings").get("logStreams"))


def _export(call: Call, account: str) -> None:
    _log(call, account)
    _put(call, "hello")
    call("s3", "CreateBucket", Bucket=_name(account))
    whole = {"from": 0, "to": call.now() + 1000}  # type: ignore[attr-defined]
    call("logs", "CreateExportTask", logGroupName="g", destination=_name(account), **whole)


def _is_exported(call: Call, account: str) -> bool:
    return bool(call("logs", "DescribeExportTasks", statusCode="COMPLETED").get("exportTasks"))


def _query(call: Call, account: str) -> None:
    _log(call, account)
    call("logs", "StartQuery", logGroupName="g", startTime=0, endTime=4_000_000_000, queryString="fields @message")


def _is_answered(call: Call, account: str) -> bool:
    return bool(call("logs", "DescribeQueries", status="Complete").get("queries"))


def _retain(call: Call, account: str) -> None:
    _log(call, account)
    _put(call, "hello")
    call("logs", "PutRetentionPolicy", logGroupName="g", retentionInDays=1)


def _is_forgotten(call: Call, account: str) -> bool:
    return not call("logs", "DescribeLogGroups")["logGroups"][0]["storedBytes"]


# -- EventBridge, Scheduler


def _topic(call: Call, account: str) -> str:
    topic = str(call("sns", "CreateTopic", Name="t")["TopicArn"])
    call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=_queue(call, account))
    return topic


def _deliver(call: Call, account: str) -> None:
    call("events", "PutRule", Name="r", EventPattern='{"source": ["mine"]}')
    call("events", "PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": _topic(call, account)}])
    call("events", "PutEvents", Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])


def _rule(call: Call, account: str) -> None:
    call("events", "PutRule", Name="r", ScheduleExpression="rate(1 minute)")
    call("events", "PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": _queue(call, account)}])


def _replay(call: Call, account: str) -> None:
    bus = _arn("events", account, "event-bus/default")
    call("events", "CreateArchive", ArchiveName="a", EventSourceArn=bus)
    _deliver(call, account)
    archive = _arn("events", account, "archive/a")
    times = {"EventStartTime": 0.0, "EventEndTime": call.now() / 1000 - 1}  # type: ignore[attr-defined]
    call("events", "StartReplay", ReplayName="r", EventSourceArn=archive, Destination={"Arn": bus}, **times)


def _is_replayed(call: Call, account: str) -> bool:
    return bool(call("events", "DescribeReplay", ReplayName="r")["State"] == "COMPLETED")


def _schedule(call: Call, account: str) -> None:
    call(
        "scheduler",
        "CreateSchedule",
        Name="s",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": _queue(call, account), "RoleArn": f"arn:aws:iam::{account}:role/r"},
    )


def _clear(call: Call, account: str) -> None:
    call("scheduler", "CreateScheduleGroup", Name="g")
    call("scheduler", "DeleteScheduleGroup", Name="g")


def _is_cleared(call: Call, account: str) -> bool:
    return len(call("scheduler", "ListScheduleGroups")["ScheduleGroups"]) == 1


# -- S3


def _notify(call: Call, account: str) -> None:
    queues = [{"QueueArn": _queue(call, account), "Events": ["s3:ObjectCreated:*"]}]
    call("s3", "CreateBucket", Bucket=_name(account))
    call(
        "s3",
        "PutBucketNotificationConfiguration",
        Bucket=_name(account),
        NotificationConfiguration={"QueueConfigurations": queues},
        SkipDestinationValidation=True,
    )
    call("s3", "PutObject", Bucket=_name(account), Key="k", Body=b"hello")


def _replicate(call: Call, account: str) -> None:
    for bucket in (_name(account), f"to-{account}"):
        call("s3", "CreateBucket", Bucket=bucket)
        call("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": f"arn:aws:s3:::to-{account}"}}
    rules = {"Role": f"arn:aws:iam::{account}:role/r", "Rules": [rule]}
    call("s3", "PutBucketReplication", Bucket=_name(account), ReplicationConfiguration=rules)
    call("s3", "PutObject", Bucket=_name(account), Key="k", Body=b"hello")


def _is_replicated(call: Call, account: str) -> bool:
    return bool(call("s3", "ListObjectsV2", Bucket=f"to-{account}").get("Contents"))


def _live(call: Call, account: str) -> None:
    call("s3", "CreateBucket", Bucket=_name(account))
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    call("s3", "PutBucketLifecycleConfiguration", Bucket=_name(account), LifecycleConfiguration={"Rules": [rule]})
    call("s3", "PutObject", Bucket=_name(account), Key="k", Body=b"hello")


def _is_expired(call: Call, account: str) -> bool:
    return not call("s3", "ListObjectsV2", Bucket=_name(account)).get("Contents")


def _inventory(call: Call, account: str) -> None:
    for bucket in (_name(account), f"to-{account}"):
        call("s3", "CreateBucket", Bucket=bucket)
    call("s3", "PutObject", Bucket=_name(account), Key="k", Body=b"hello")
    wanted = {
        "Id": "i",
        "IsEnabled": True,
        "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Daily"},
        "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::to-{account}", "Format": "CSV"}},
    }
    call("s3", "PutBucketInventoryConfiguration", Bucket=_name(account), Id="i", InventoryConfiguration=wanted)


# -- SNS


def _publish(call: Call, account: str) -> None:
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    call("sqs", "CreateQueue", QueueName="q.fifo", Attributes=fifo)
    topic = call(
        "sns",
        "CreateTopic",
        Name="t.fifo",
        Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"},
    )["TopicArn"]
    call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=_arn("sqs", account, "q.fifo"))
    call("sns", "Publish", TopicArn=topic, Message="hello", MessageGroupId="g")


def _has_fifo_message(call: Call, account: str) -> bool:
    url = call("sqs", "GetQueueUrl", QueueName="q.fifo")["QueueUrl"]
    found = call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return found["Attributes"]["ApproximateNumberOfMessages"] != "0"


# -- DynamoDB


def _table(call: Call, account: str) -> None:
    call(
        "dynamodb",
        "CreateTable",
        TableName="table",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    call("dynamodb", "PutItem", TableName="table", Item={"k": {"S": "a"}, "ends": {"N": "1699990000"}})


def _live_no_more(call: Call, account: str) -> None:
    _table(call, account)
    wanted = {"Enabled": True, "AttributeName": "ends"}
    call("dynamodb", "UpdateTimeToLive", TableName="table", TimeToLiveSpecification=wanted)


def _is_gone(call: Call, account: str) -> bool:
    return not call("dynamodb", "Scan", TableName="table")["Count"]


def _back_up(call: Call, account: str) -> None:
    _table(call, account)
    call("dynamodb", "CreateBackup", TableName="table", BackupName="backup")


def _is_backed_up(call: Call, account: str) -> bool:
    return bool(call("dynamodb", "ListBackups")["BackupSummaries"][0]["BackupStatus"] == "AVAILABLE")


# -- CloudTrail


def _trail(call: Call, account: str) -> None:
    call("s3", "CreateBucket", Bucket=_name(account))
    call("cloudtrail", "CreateTrail", Name="trail", S3BucketName=_name(account))
    call("cloudtrail", "StartLogging", Name="trail")
    call("sqs", "CreateQueue", QueueName="q")


def _has_file(call: Call, account: str) -> bool:
    listed = call("s3", "ListObjectsV2", Bucket=_name(account)).get("Contents") or ()
    return any(each["Key"].endswith(".json.gz") for each in listed)


def _move(call: Call, account: str) -> None:
    dead, source = (call("sqs", "CreateQueue", QueueName=name)["QueueUrl"] for name in ("dead", "q"))
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": _arn("sqs", account, "dead"), "maxReceiveCount": 1})}
    call("sqs", "SetQueueAttributes", QueueUrl=source, Attributes=redrive)
    call("sqs", "SendMessage", QueueUrl=dead, MessageBody="hello")
    call(
        "sqs",
        "StartMessageMoveTask",
        SourceArn=_arn("sqs", account, "dead"),
        DestinationArn=_arn("sqs", account, "q"),
    )


def _put_with_policy(call: Call, account: str) -> None:
    policy = {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "1", "Unit": "Hours"}}
    more = {"Tier": "Advanced", "Policies": json.dumps([policy])}
    call("ssm", "PutParameter", Name="/a", Value="v", Type="String", **more)


def _has_acted(call: Call, account: str) -> bool:
    (found,) = call("ssm", "DescribeParameters")["Parameters"]
    return bool(found["Policies"][0]["PolicyStatus"] == "Finished")


_zone_changes: dict[str, str] = {}


def _change_names(call: Call, account: str) -> None:
    made = call("route53", "CreateHostedZone", Name="example.com", CallerReference="one")
    _zone_changes[account] = made["ChangeInfo"]["Id"]


def _is_change_known(call: Call, account: str) -> bool:
    return bool(call("route53", "GetChange", Id=_zone_changes[account])["ChangeInfo"]["Status"] == "INSYNC")


def _check_health(call: Call, account: str) -> None:
    config = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 1}
    call("route53", "CreateHealthCheck", CallerReference="one", HealthCheckConfig=config)


def _has_checked(call: Call, account: str) -> bool:
    (check,) = call("route53", "ListHealthChecks")["HealthChecks"]
    return bool(call("route53", "GetHealthCheckStatus", HealthCheckId=check["Id"])["HealthCheckObservations"])


def _register(call: Call, account: str) -> None:
    call("servicediscovery", "CreateHttpNamespace", Name="n")


def _is_registered(call: Call, account: str) -> bool:
    return bool(call("servicediscovery", "ListNamespaces")["Namespaces"])


def _begin_stack(call: Call, account: str) -> None:
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}
    call("cloudformation", "CreateStack", StackName="s", TemplateBody=json.dumps(template))


def _has_stack(call: Call, account: str) -> bool:
    (stack,) = call("cloudformation", "DescribeStacks", StackName="s")["Stacks"]
    return bool(stack["StackStatus"] == "CREATE_COMPLETE")


def _serve(call: Call, account: str) -> None:
    containers = [{"name": "web", "image": "nginx", "memory": 64}]
    call("ecs", "CreateCluster", clusterName="default")
    call("ecs", "RegisterTaskDefinition", family="web", containerDefinitions=containers)
    call("ecs", "CreateService", serviceName="web", taskDefinition="web", desiredCount=0)


def _is_served(call: Call, account: str) -> bool:
    (service,) = call("ecs", "DescribeServices", services=["web"])["services"]
    return bool(service["deployments"][0]["rolloutState"] == "COMPLETED")


def _provide_capacity(call: Call, account: str) -> None:
    subnet = call("ec2", "DescribeSubnets")["Subnets"][0]["SubnetId"]
    template = {
        "ec2InstanceProfileArn": f"arn:aws:iam::{account}:instance-profile/instance",
        "networkConfiguration": {"subnets": [subnet]},
    }
    managed = {
        "infrastructureRoleArn": f"arn:aws:iam::{account}:role/infrastructure",
        "instanceLaunchTemplate": template,
    }
    call("ecs", "CreateCluster", clusterName="default")
    call("ecs", "CreateCapacityProvider", name="machine", cluster="default", managedInstancesProvider=managed)
    call("ecs", "DeleteCapacityProvider", capacityProvider="machine")


def _has_no_capacity(call: Call, account: str) -> bool:
    return bool(call("ecs", "DescribeCapacityProviders", capacityProviders=["machine"])["failures"])


def _begin_detection(call: Call, account: str) -> None:
    _begin_stack(call, account)
    while not _has_stack(call, account):
        pass
    call("cloudformation", "DetectStackDrift", StackName="s")


def _is_in_sync(call: Call, account: str) -> bool:
    (stack,) = call("cloudformation", "DescribeStacks", StackName="s")["Stacks"]
    return bool(stack["DriftInformation"]["StackDriftStatus"] == "IN_SYNC")


def _begin_scan(call: Call, account: str) -> None:
    call("cloudformation", "StartResourceScan", ScanFilters=[{"Types": ["AWS::SQS::Queue"]}])


def _is_scanned(call: Call, account: str) -> bool:
    (scan,) = call("cloudformation", "ListResourceScans", ScanTypeFilter="PARTIAL")["ResourceScanSummaries"]
    return bool(scan["Status"] == "COMPLETE")


def _begin_template(call: Call, account: str) -> None:
    url = call("sqs", "CreateQueue", QueueName="q")["QueueUrl"]
    resource = {"ResourceType": "AWS::SQS::Queue", "ResourceIdentifier": {"QueueUrl": url}}
    call("cloudformation", "CreateGeneratedTemplate", GeneratedTemplateName="t", Resources=[resource])


def _is_generated(call: Call, account: str) -> bool:
    found = call("cloudformation", "DescribeGeneratedTemplate", GeneratedTemplateName="t")
    return bool(found["Status"] == "COMPLETE")


def _begin_request(call: Call, account: str) -> None:
    call("cloudcontrol", "CreateResource", TypeName="AWS::SQS::Queue", DesiredState='{"QueueName": "q"}')


def _is_carried_out(call: Call, account: str) -> bool:
    (request,) = call("cloudcontrol", "ListResourceRequests")["ResourceRequestStatusSummaries"]
    return bool(request["OperationStatus"] == "SUCCESS")


def _begin_stack_set(call: Call, account: str) -> None:
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}
    call("cloudformation", "CreateStackSet", StackSetName="s", TemplateBody=json.dumps(template))
    call("cloudformation", "CreateStackInstances", StackSetName="s", Accounts=[account], Regions=[REGION])


def _has_instance(call: Call, account: str) -> bool:
    (instance,) = call("cloudformation", "ListStackInstances", StackSetName="s")["Summaries"]
    return bool(instance["Status"] == "CURRENT")


# -- EC2


def _make_interface(call: Call, account: str) -> None:
    call("ec2", "CreateNetworkInterface", SubnetId=call("ec2", "DescribeSubnets")["Subnets"][0]["SubnetId"])


def _has_interface(call: Call, account: str) -> bool:
    return [each["Status"] for each in call("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"]] == ["available"]


def _balance(call: Call, account: str) -> None:
    subnets = [each["SubnetId"] for each in call("ec2", "DescribeSubnets")["Subnets"]]
    call("elbv2", "CreateLoadBalancer", Name="b", Scheme="internal", Subnets=subnets[:2])


def _has_balanced(call: Call, account: str) -> bool:
    return [each["Status"] for each in call("ec2", "DescribeNetworkInterfaces")["NetworkInterfaces"]] == ["in-use"] * 2


def _is_balancing(call: Call, account: str) -> bool:
    return bool(call("elbv2", "DescribeLoadBalancers")["LoadBalancers"][0]["State"]["Code"] == "active")


_groups: dict[str, str] = {}
"""The target group of each account."""


def _drain(call: Call, account: str) -> None:
    _balance(call, account)
    balancer = call("elbv2", "DescribeLoadBalancers")["LoadBalancers"][0]
    (group,) = call(
        "elbv2",
        "CreateTargetGroup",
        Name="g",
        Protocol="HTTP",
        Port=80,
        VpcId=balancer["VpcId"],
        TargetType="ip",
    )["TargetGroups"]
    arn = _groups[account] = group["TargetGroupArn"]
    actions = [{"Type": "forward", "TargetGroupArn": arn}]
    call(
        "elbv2",
        "CreateListener",
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=actions,
    )
    targets = [{"Id": "10.0.0.1", "AvailabilityZone": "all"}]
    call("elbv2", "RegisterTargets", TargetGroupArn=arn, Targets=targets)
    call("elbv2", "DeregisterTargets", TargetGroupArn=arn, Targets=targets)


def _is_drained(call: Call, account: str) -> bool:
    return not call("elbv2", "DescribeTargetHealth", TargetGroupArn=_groups[account])["TargetHealthDescriptions"]


CASES = (
    Case("application_autoscaling.scheduling._change_bounds", _schedule_bounds, _is_bounded, 60.0),
    Case("cloudcontrol.working._Work.run", _begin_request, _is_carried_out),
    Case("cloudformation.drift.detecting.load", _begin_detection, _is_in_sync),
    Case("cloudformation.operations.running._Run.run", _begin_stack, _has_stack),
    Case("cloudformation.scanning.generating._read", _begin_template, _is_generated),
    Case("cloudformation.scanning.running_scans._Work.run", _begin_scan, _is_scanned),
    Case("cloudformation.stack_sets.running.make_schedule", _begin_stack_set, _has_instance),
    Case("cloudwatch.evaluating._evaluate", _watch, _alarms, 60.0),
    Case("cloudwatch.acting._tell", _act, _has_message),
    Case("logs.publishing._publish", _filter, _has_metric),
    Case("logs.auditing.audit", _audit, _has_findings),
    Case("logs.exporting._some_streams", _export, _is_exported),
    Case("logs.insights.running._begin", _query, _is_answered),
    Case("logs.jobs._expire_group", _retain, _is_forgotten, 86_400.0),
    Case("ec2.networks.reconcile", _make_interface, _has_interface),
    Case("events.delivering._deliver", _deliver, _has_message),
    Case("events.event.made", _rule, _has_message, 60.0),
    Case("events.replay._advance", _replay, _is_replayed),
    Case("scheduler.firing.add", _schedule, _has_message, 60.0),
    Case("scheduler.firing._decode", _schedule, _has_message, 60.0),
    Case("scheduler.group.remove", _clear, _is_cleared),
    Case("s3.notifications.notifying._tell", _notify, _has_message),
    Case("s3.replicas.replication._decode", _replicate, _is_replicated),
    Case("s3.retention.expiring._Pass.run", _live, _is_expired, 86_400.0),
    Case("s3.reports.inventory_report._write", _inventory, _is_replicated),
    Case("sns.fifo_delivery.FifoDelivery._bring_up", _publish, _has_fifo_message),
    Case("dynamodb.tables.ttl.due", _live_no_more, _is_gone, 10.0),
    Case("dynamodb.backup.copies._to_backup", _back_up, _is_backed_up),
    Case("cloudtrail.delivering._gather", _trail, _has_file, 300.0),
    Case("ecs.service_scheduler._advance", _serve, _is_served),
    Case("ecs.daemon_scheduler._look", _provide_capacity, _has_no_capacity),
    Case("elbv2.interfaces._provide", _balance, _has_balanced),
    Case("elbv2.proxy.serving.reconcile", _balance, _is_balancing),
    Case("elbv2.targets._end_delay", _drain, _is_drained, 60.0),
    Case("sqs.sending.move", _move, _has_message),
    Case("route53.propagating.mark", _change_names, _is_change_known),
    Case("route53.checking._check_due", _check_health, _has_checked, 30.0),
    Case("servicediscovery.reconciling._begin_namespace", _register, _is_registered),
    Case("ssm.change_events.add_action", _put_with_policy, _has_acted, 3600.0),
)
