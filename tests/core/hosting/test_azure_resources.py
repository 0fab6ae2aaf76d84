"""Bodies that put a resource back: without read-only properties or loss, and without objects of the input."""

import copy

from epkit.core.hosting.azure_resources import differences, put_body

RESOURCE = {
    "id": "/x", "name": "x", "type": "t", "systemData": {}, "location": "here", "tags": {"a": "b"}, "sku": {"capacity": 2},
    "properties": {
        "provisioningState": "Succeeded", "scoringUri": "u", "swaggerUri": "s", "appInsightsEnabled": False,
        "requestSettings": {"maxQueueWait": "PT0.5S"},
    },
}  # fmt: skip


def test_a_body_keeps_every_setting_but_the_one_that_changes():
    body = put_body(RESOURCE, appInsightsEnabled=True)

    assert {"location", "tags", "sku", "properties"} == body.keys()
    assert {"appInsightsEnabled": True, "requestSettings": {"maxQueueWait": "PT0.5S"}} == body["properties"]


def test_a_body_shares_nothing_with_what_was_read():
    before = copy.deepcopy(RESOURCE)
    put_body(RESOURCE)["properties"]["requestSettings"]["maxQueueWait"] = "PT9S"

    assert before == RESOURCE


def test_differences_are_named_by_their_paths():
    after = copy.deepcopy(RESOURCE)
    after["properties"]["requestSettings"]["maxQueueWait"] = None
    after["properties"]["more"] = 1
    after["sku"] = None

    assert ["sku", "properties.requestSettings.maxQueueWait"] == list(differences(RESOURCE, after))
    assert [] == list(differences(RESOURCE, RESOURCE))
