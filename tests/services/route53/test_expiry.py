"""Changes, and operations of Cloud Map, are forgotten after a while."""

from __future__ import annotations

from botocore.exceptions import ClientError

from tests.services.route53.zone_cloud import ZoneCloud
from tests.services.servicediscovery.map_cloud import MapCloud
from tests.standing import Standing, eventually


def test_a_change_is_known_for_a_week(standing: Standing) -> None:
    cloud = ZoneCloud(standing.account())
    change = cloud.route53.create_hosted_zone(Name="example.com", CallerReference="one")["ChangeInfo"]["Id"]
    cloud.wait(change)
    standing.advance("6d")
    cloud.route53.get_change(Id=change)
    standing.advance("1d1h")

    def is_known() -> bool:
        try:
            cloud.route53.get_change(Id=change)
        except ClientError as error:
            return bool(error.response["Error"]["Code"] != "NoSuchChange")
        return True

    eventually(is_known, lambda known: not known)


def test_an_operation_is_known_for_90_days(standing: Standing) -> None:
    cloud = MapCloud(standing.account())
    cloud.create_namespace("http", "shop")
    standing.advance("89d")
    assert len(cloud.map.list_operations()["Operations"]) == 1
    standing.advance("2d")
    eventually(lambda: cloud.map.list_operations()["Operations"], lambda found: not found)
