from __future__ import annotations

import asyncio
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.api.body import MAX_BODY_BYTES, parse_json
from orbit_voice.kit.errors import CallError, ErrorCode

JSON = {"Content-Type": "application/json"}


def post(api, content, headers=JSON, path="/v1/voice/calls"):
    return api.post(path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("content", "position"),
    [
        (b"{", 1),
        (b'{"to": +1}', 7),
        (b'{"to": "+1"', 11),
        (b'{"to": "+1"} x', 13),
        (b'{"to": "a\nb"}', 9),
        (b"\xef\xbb\xbf{}", 0),
        (b'{"to": "\xff"}', 8),
        (b'{"to": "\xed\xa0\x80"}', 8),
        (b'{"to": "\\ud83d"}', None),
        (b"not json", 0),
    ],
)
def test_malformed_json_gets_400_with_the_position(api, content, position):
    response = post(api, content)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "INVALID_JSON"
    assert isinstance(error["details"]["position"], int)
    if position is not None:
        assert error["details"]["position"] == position


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'{"to": "+14155550123", "to": "+14155550124"}', '"to"'),
        (b'{"to": "+14155550123", "metadata": {"a": 1, "a": 2}}', '"a"'),
        (b'{"to": "+14155550123", "max_duration": NaN}', "NaN"),
        (b'{"metadata": {"a": Infinity}}', "Infinity"),
        (b'{"metadata": {"a": -Infinity}}', "-Infinity"),
        (b'{"max_duration": ' + b"9" * 5000 + b"}", "digits"),
        (b"[" * 100_000, "deep"),
        (b'{"metadata":' * 20_000, "deep"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"null", "object"),
        (b"7", "object"),
    ],
)
def test_json_that_no_client_can_have_meant_gets_400_in_words(api, content, word):
    response = post(api, content)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "INVALID_JSON"
    assert word in error["message"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "",
        "application/jsonp",
    ],
)
def test_a_body_of_another_type_gets_415_and_the_right_type(api, content_type):
    response = post(api, b'{"to": "+14155550123"}', {"Content-Type": content_type})
    assert response.status_code == 415
    error = response.json()["error"]
    assert error["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert error["details"] == {
        "field": "Content-Type",
        "value": content_type,
        "expected": "application/json",
    }


def test_a_compressed_body_gets_415(api):
    response = post(api, b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"})
    assert response.json()["error"]["details"]["field"] == "Content-Encoding"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=utf8",
        "application/vnd.orbit+json",
        'application/json; charset="utf-8"',
    ],
)
def test_every_spelling_of_the_json_type_is_taken(api, content_type):
    response = post(api, b'{"to": "+14155550123"}', {"Content-Type": content_type})
    assert response.status_code == 201


def test_an_empty_body_without_content_type_is_valid_where_no_field_is_required(api, world):
    call = world.calls.add()
    assert api.post(f"/v1/voice/calls/{call.id}/hangup").status_code == 200


def test_an_empty_body_where_a_field_is_required_names_the_field(api):
    error = api.post("/v1/voice/calls").json()["error"]
    assert (error["code"], error["details"]["field"]) == ("MISSING_REQUIRED_FIELD", "to")


def test_a_command_without_fields_still_refuses_malformed_json(api, world):
    call = world.calls.add()
    path = f"/v1/voice/calls/{call.id}/hangup"
    assert post(api, b"{", path=path).status_code == 400
    assert post(api, b'{"reason": "bye"}', path=path).status_code == 200


def body_of(size):
    start, end = b'{"to": "+14155550123", "note": "', b'"}'
    return start + b"x" * (size - len(start) - len(end)) + end


def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(api):
    assert post(api, body_of(MAX_BODY_BYTES)).status_code == 201
    response = post(api, body_of(MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert response.headers["X-Request-Id"].startswith("req_")
    assert response.headers["Connection"] == "close"


async def drive(app, headers, chunks):
    """Send a request chunk by chunk; return the status and how many chunks were taken."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/voice/calls",
        "raw_path": b"/v1/voice/calls",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"voice.test"), (b"x-api-key", b"dv_live_sk_ours"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    taken, statuses = 0, []

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": chunks, "more_body": True}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses, taken


def test_an_announced_oversize_body_is_refused_before_any_of_it_is_read(api):
    length = (b"content-length", str(MAX_BODY_BYTES + 1).encode())
    assert asyncio.run(drive(api.app, [length], b"x" * 65_536)) == ([413], 0)


def test_an_endless_chunked_body_is_refused_once_the_limit_is_passed(api):
    chunked = (b"transfer-encoding", b"chunked")
    assert asyncio.run(drive(api.app, [chunked], b"x" * 65_536)) == ([413], 17)


def test_nothing_of_a_body_is_read_before_the_key_is_known(api):
    api.key = None
    length = [(b"content-length", b"10"), (b"x-api-key", b"unknown")]
    scope_headers = length
    statuses, taken = asyncio.run(drive_without_key(api.app, scope_headers))
    assert (statuses, taken) == ([401], 0)


async def drive_without_key(app, headers):
    async def keyless(scope, receive, send):
        kept = [item for item in scope["headers"] if item[1] != b"dv_live_sk_ours"]
        await app({**scope, "headers": kept}, receive, send)

    return await drive(keyless, headers, b"0123456789")


def test_a_client_that_hangs_up_in_its_body_is_answered_nothing(api):
    async def run():
        sent = []
        messages = iter(
            [
                {"type": "http.request", "body": b"{", "more_body": True},
                {"type": "http.disconnect"},
            ]
        )

        async def receive():
            return next(messages)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/voice/calls",
            "query_string": b"",
            "headers": [(b"x-api-key", b"dv_live_sk_ours"), (b"content-type", b"application/json")],
        }
        await api.app(scope, receive, send)
        return sent

    assert asyncio.run(run()) == []


def test_a_body_with_too_many_fields_is_refused_in_one_error(api):
    response = post(api, json.dumps({f"f{i}": 1 for i in range(101)}).encode(), path="/v1/numbers")
    assert response.status_code == 422
    assert "100" in response.json()["error"]["message"]


def test_a_query_string_with_too_many_fields_is_refused(api):
    response = api.get("/v1/voice/calls?" + "&".join(f"a{i}=1" for i in range(51)))
    assert response.json()["error"]["code"] == "VALIDATION_ERROR"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_parsing_gives_back_what_any_json_writer_wrote(value):
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(orjson.dumps(value)) == orjson.loads(orjson.dumps(value))


@given(st.binary() | st.text().map(str.encode) | st.text('{}[]",:\\u0d8Na1.-+e\n ').map(str.encode))
def test_parsing_any_bytes_ends_in_a_value_or_in_the_one_error(data):
    try:
        value = parse_json(data)
    except CallError as error:
        code = error.code
    else:
        code = None if is_json(value) else ErrorCode.INTERNAL_ERROR
    assert code in {None, ErrorCode.INVALID_JSON}


def is_json(value):
    match value:
        case dict():
            return all(isinstance(key, str) and is_json(item) for key, item in value.items())
        case list():
            return all(map(is_json, value))
        case float():
            return math.isfinite(value)
        case _:
            return value is None or isinstance(value, bool | int | str)
