from __future__ import annotations

import pytest

from orbit_voice.calls.orders import CallOrder
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.store.api_keys import Mode

TO = "+14155550123"
NUMBER_TEXT = "a phone number in E.164"
URI_TEXT = "a SIP URI"


def refusal(api, body):
    response = api.post("/v1/voice/calls", body)
    assert response.status_code == 422, response.text
    return response.json()["error"]


def test_a_call_with_every_field_reaches_call_control_as_ordered(api, world, tmp_path):
    trunk_id = world.seed(tmp_path)["trunk_id"]
    full = {
        "to": TO,
        "from": "+14155550100",
        "trunk_id": trunk_id,
        "webhook_url": "https://example.com/hook?a=1",
        "record": True,
        "max_duration": 86_400,
        "ring_timeout": 600,
        "amd": False,
        "metadata": {"order": "A-1", "attempt": 2, "score": 0.5, "vip": True},
        "sip_headers": {"X-Order": "A-1", "x-Tag": ""},
    }
    assert api.post("/v1/voice/calls", full).status_code == 201
    assert world.calls.orders == [
        CallOrder(
            to=TO,
            from_="+14155550100",
            trunk_id=trunk_id,
            webhook_url="https://example.com/hook?a=1",
            record=True,
            max_duration_s=86_400,
            ring_timeout_s=600,
            metadata=full["metadata"],
            sip_headers=full["sip_headers"],
        )
    ]
    assert world.checked_urls == ["https://example.com/hook?a=1"]


def test_what_is_left_out_or_null_has_the_documented_default(api, world):
    nulls = dict.fromkeys(("from", "trunk_id", "webhook_url", "record", "metadata", "amd"))
    for body in ({"to": TO}, {"to": TO, **nulls}):
        world.calls.orders.clear()
        assert api.post("/v1/voice/calls", body).status_code == 201
        assert world.calls.orders == [CallOrder(to=TO)]


def test_fields_of_newer_and_older_clients_are_ignored(api, world):
    extra = {"direction": "outbound", "campaignId": 7, "orgTimezone": "Europe/Paris", "new": []}
    assert api.post("/v1/voice/calls", {"to": TO, **extra}).status_code == 201
    assert world.calls.orders == [CallOrder(to=TO)]


@pytest.mark.parametrize("body", [{}, None, {"to": None}, {"from": "+14155550100"}])
def test_a_call_needs_a_destination(api, body):
    error = refusal(api, body)
    assert error["code"] == "MISSING_REQUIRED_FIELD"
    assert error["details"]["field"] == "to"
    assert NUMBER_TEXT in error["details"]["expected"]


# Field, wrong value, code, what the client is told to send instead.
WRONG = [
    ("to", "4155550123", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("to", "+1 415 555 0123", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("to", "+1415555012345678", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("to", "", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("to", "tel:+14155550123", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("to", 14155550123, "VALIDATION_ERROR", NUMBER_TEXT),
    ("to", ["+14155550123"], "VALIDATION_ERROR", NUMBER_TEXT),
    ("to", "sip:", "INVALID_SIP_URI", URI_TEXT),
    ("to", "sip:bob:secret@example.com", "INVALID_SIP_URI", URI_TEXT),
    ("to", "sip:bob@example.com?Subject=a", "INVALID_SIP_URI", URI_TEXT),
    ("to", "sip:bob@example.com\r\nVia: x", "INVALID_SIP_URI", URI_TEXT),
    ("to", "sip:" + "b" * 300 + "@example.com", "INVALID_SIP_URI", URI_TEXT),
    ("to", "sips:bob@example.com", "VALIDATION_ERROR", "sip: URI"),
    ("to", "sip:bob@example.com;transport=tls", "VALIDATION_ERROR", "sip: URI"),
    ("from", "100", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("from", "sip:alice@example.com", "INVALID_PHONE_NUMBER", NUMBER_TEXT),
    ("from", 1, "VALIDATION_ERROR", NUMBER_TEXT),
    ("agent_id", "", "VALIDATION_ERROR", "an id"),
    ("agent_id", "agt_1", "AGENT_NOT_FOUND", "an id that exists"),
    ("ivr_id", "a/b", "VALIDATION_ERROR", "an id"),
    ("ivr_id", "ivr_1", "IVR_NOT_FOUND", "an id that exists"),
    ("trunk_id", 5, "VALIDATION_ERROR", "an id"),
    ("trunk_id", "t" * 65, "VALIDATION_ERROR", "an id"),
    ("trunk_id", "trk_nobodys", "VALIDATION_ERROR", "the id of a trunk"),
    ("webhook_url", "ftp://example.com/", "INVALID_WEBHOOK_URL", "an http(s) URL"),
    ("webhook_url", "https://example.com/a b", "INVALID_WEBHOOK_URL", "an http(s) URL"),
    ("webhook_url", "https://e.com/" + "a" * 2048, "INVALID_WEBHOOK_URL", "an http(s) URL"),
    ("webhook_url", "http://127.0.0.1/", "INVALID_WEBHOOK_URL", "a URL of a public host"),
    ("webhook_url", False, "VALIDATION_ERROR", "an http(s) URL"),
    ("record", "true", "VALIDATION_ERROR", "true or false"),
    ("record", 1, "VALIDATION_ERROR", "true or false"),
    ("max_duration", 0, "VALIDATION_ERROR", "from 1 to 86400"),
    ("max_duration", 86_401, "VALIDATION_ERROR", "from 1 to 86400"),
    ("max_duration", "60", "VALIDATION_ERROR", "from 1 to 86400"),
    ("max_duration", 60.5, "VALIDATION_ERROR", "from 1 to 86400"),
    ("max_duration", True, "VALIDATION_ERROR", "from 1 to 86400"),
    ("ring_timeout", 0, "VALIDATION_ERROR", "from 1 to 600"),
    ("ring_timeout", 601, "VALIDATION_ERROR", "from 1 to 600"),
    ("ring_timeout", "60", "VALIDATION_ERROR", "from 1 to 600"),
    ("amd", True, "VALIDATION_ERROR", "false"),
    ("amd", "no", "VALIDATION_ERROR", "true or false"),
    ("bridge_to", "+14155550199", "VALIDATION_ERROR", "left out"),
    ("metadata", [], "VALIDATION_ERROR", "an object"),
    ("metadata", "a", "VALIDATION_ERROR", "an object"),
    ("metadata", {f"k{i}": 1 for i in range(51)}, "VALIDATION_ERROR", "at most 50 keys"),
    ("sip_headers", "X-A: b", "VALIDATION_ERROR", "an object"),
    ("sip_headers", {"X-A": "1", "x-a": "2"}, "VALIDATION_ERROR", "an object"),
]


@pytest.mark.parametrize(("field", "value", "code", "expected"), WRONG)
def test_each_wrong_field_is_named_with_what_it_must_be(api, world, field, value, code, expected):
    error = refusal(api, {"to": TO, field: value})
    assert (error["code"], error["details"]["field"]) == (code, field)
    assert expected in error["details"]["expected"]
    assert error["message"]
    assert world.calls.orders == []


# Field, key below it, wrong value.
WRONG_BELOW = [
    ("metadata", "k", "x" * 501),
    ("metadata", "k", None),
    ("metadata", "k", {"nested": 1}),
    ("metadata", "k", [1]),
    ("metadata", "k", 2**53),
    ("metadata", "k" * 101, 1),
    ("sip_headers", "Subject", "a"),
    ("sip_headers", "X-", "a"),
    ("sip_headers", "X-A B", "a"),
    ("sip_headers", "X-A", "a\r\nRoute: <sip:evil>"),
    ("sip_headers", "X-A", "a" * 1001),
    ("sip_headers", "X-A", 1),
]


@pytest.mark.parametrize(("field", "key", "value"), WRONG_BELOW)
def test_a_wrong_entry_of_an_object_is_named_by_its_path(api, world, field, key, value):
    error = refusal(api, {"to": TO, field: {key: value}})
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["field"] == f"{field}.{key}"
    assert world.calls.orders == []


def test_every_wrong_field_is_listed_when_there_are_several(api):
    error = refusal(api, {"to": "x", "max_duration": 0, "record": "yes"})
    assert error["details"]["field"] == "to"
    assert [one["field"] for one in error["details"]["errors"]] == ["to", "record", "max_duration"]


def test_a_call_is_taken_by_an_agent_or_a_flow_but_not_by_both(api, world):
    world.flows.agents.add("agt_1")
    world.flows.ivrs.add("ivr_1")
    error = refusal(api, {"to": TO, "agent_id": "agt_1", "ivr_id": "ivr_1"})
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", "ivr_id")
    for field, value in (("agent_id", "agt_1"), ("ivr_id", "ivr_1")):
        assert api.post("/v1/voice/calls", {"to": TO, field: value}).status_code == 201


def test_a_trunk_of_another_organization_is_no_trunk(api, world, tmp_path):
    theirs = world.seed(tmp_path, "org_theirs")["trunk_id"]
    error = refusal(api, {"to": TO, "trunk_id": theirs})
    assert (error["code"], error["details"]["field"]) == ("VALIDATION_ERROR", "trunk_id")


def test_a_test_key_never_calls_over_a_trunk(api, world):
    api.key = world.keys.add("dv_test_sk_ours", mode=Mode.TEST)
    response = api.post("/v1/voice/calls", {"to": TO})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "INSUFFICIENT_PERMISSIONS"
    assert world.calls.orders == []


@pytest.mark.parametrize("code", [ErrorCode.NUMBER_NOT_REGISTERED, ErrorCode.NO_ROUTE])
def test_what_call_control_refuses_is_passed_on(api, world, code):
    world.calls.failure = CallError(code, details={"field": "from"})
    assert refusal(api, {"to": TO})["code"] == code.name


@pytest.mark.parametrize(
    "uri", ["sip:bob@example.com", "SIP:bob@192.0.2.7:5080;transport=tcp", "sip:[2001:db8::1]"]
)
def test_a_sip_uri_can_be_called(api, world, uri):
    assert api.post("/v1/voice/calls", {"to": uri}).status_code == 201
    assert world.calls.orders[0].to == "sip" + uri[3:]
