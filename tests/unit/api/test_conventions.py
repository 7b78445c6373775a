from __future__ import annotations

import pytest

from orbit_voice.kit.errors import CallError, ErrorCode, HangupCause


def error_of(response):
    assert list(response.json()) == ["error", "meta"]
    error, meta = response.json()["error"], response.json()["meta"]
    assert list(error) == ["code", "message", "status", "details"]
    assert list(meta) == ["request_id", "timestamp", "docs_url"]
    assert error["status"] == response.status_code
    assert meta["request_id"] == response.headers["X-Request-Id"]
    assert meta["docs_url"].endswith(f"/docs/errors#{error['code'].lower()}")
    return error


def test_every_operation_answers_its_own_example_in_the_shape_it_documents(api, world, tmp_path):
    for operation in api.operations():
        world.numbers.rows.clear()  # a number can be registered once
        ids = world.seed(tmp_path)
        response = api.request(operation.method, operation.filled(ids), json=operation.example)
        assert response.status_code == operation.status, (operation, response.text)
        assert response.headers["X-Request-Id"].startswith("req_")
        if operation.answer is None:
            assert operation.path.endswith("/audio") or response.content == b""
        else:
            operation.answer.model_validate(response.json())
            meta = response.json()["meta"]
            assert meta["request_id"] == response.headers["X-Request-Id"]
            assert meta["timestamp"].endswith("Z")
            assert len(meta["timestamp"]) == len("2026-01-31T08:00:00.000Z")


def test_the_whole_tree_is_served_again_under_api(api, world, tmp_path):
    for operation in api.operations():
        world.numbers.rows.clear()  # a number can be registered once
        ids = world.seed(tmp_path)
        path = "/api" + operation.filled(ids)
        response = api.request(operation.method, path, json=operation.example)
        assert response.status_code == operation.status, (operation, response.text)


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/healthz", "/apiv1/voice/calls", "/api/api/v1/numbers"]
)
def test_only_the_v1_tree_is_served_under_api(api, path):
    assert error_of(api.get(path))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/voice",
        "/v1/voice/calls/",
        "/v2/voice/calls",
        "/v1/voice/nothing",
        "/%00",
        "/v1/voice/calls/a/b/c",
    ],
)
def test_an_unknown_path_gets_404_in_the_envelope(api, path):
    error = error_of(api.get(path))
    assert error["code"] == "NOT_FOUND"
    assert "/docs" in error["message"]


def test_a_wrong_method_gets_405_and_all_methods_of_the_path(api):
    response = api.request("PATCH", "/v1/voice/calls")
    assert error_of(response)["code"] == "METHOD_NOT_ALLOWED"
    assert response.headers["Allow"] == "GET, HEAD, POST"
    response = api.request("POST", "/api/v1/voice/sip-trunks/trk_1")
    assert error_of(response)["code"] == "METHOD_NOT_ALLOWED"
    assert response.headers["Allow"] == "DELETE, GET, HEAD, PUT"


def test_head_is_answered_like_get_without_the_content(api):
    get, head = api.get("/v1/voice/calls"), api.request("HEAD", "/v1/voice/calls")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_an_unforeseen_failure_gets_500_and_tells_the_client_nothing_of_it(api, world):
    world.calls.failure = RuntimeError("password hunter2 in /srv/orbit/secret.py")
    response = api.post("/v1/voice/calls", {"to": "+14155550123"})
    error = error_of(response)
    assert (response.status_code, error["code"]) == (500, "INTERNAL_ERROR")
    assert "hunter2" not in response.text
    assert "secret.py" not in response.text


def test_a_refusal_by_call_control_keeps_its_code_details_and_headers(api, world):
    world.calls.failure = CallError(
        ErrorCode.SERVICE_UNAVAILABLE,
        "Draining.",
        details={"calls": 7},
        headers={"Retry-After": "9"},
    )
    response = api.post("/v1/voice/calls", {"to": "+14155550123"})
    error = error_of(response)
    assert (error["code"], error["message"], error["details"]) == (
        "SERVICE_UNAVAILABLE",
        "Draining.",
        {"calls": 7},
    )
    assert response.headers["Retry-After"] == "9"


def test_every_503_says_when_to_try_again(api, world):
    world.calls.failure = CallError(ErrorCode.SERVICE_UNAVAILABLE)
    assert int(api.post("/v1/voice/calls", {"to": "+14155550123"}).headers["Retry-After"]) > 0


def test_request_ids_differ_and_are_not_taken_from_the_client(api):
    mine = {"X-Request-Id": "req_mine"}
    ids = {api.get("/healthz", headers=mine).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    assert "req_mine" not in ids


def test_answers_are_not_to_be_cached(api):
    assert api.get("/v1/voice/calls").headers["Cache-Control"] == "no-store"
    assert api.get("/v1/nothing").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("code", ErrorCode)
def test_the_page_that_docs_url_points_to_explains_every_code(api, code):
    page = api.get("/docs/errors")
    assert page.headers["Content-Type"].startswith("text/html")
    assert f'id="{code.name.lower()}"' in page.text
    assert f"<code>{code.name}</code>" in page.text


def test_the_errors_page_lists_every_hangup_cause(api):
    text = api.get("/docs/errors").text
    assert all(f"<code>{cause}</code>" in text for cause in HangupCause)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("voice.example:8443", "http://voice.example:8443"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        ("[", "http://voice.test"),
        ('"><script>', "http://voice.test"),
        ("a.example/path", "http://voice.test"),
        ("user@a.example", "http://voice.test"),
    ],
)
def test_links_follow_the_host_header_only_when_it_is_well_formed(api, host, base):
    response = api.get("/v1/nothing", headers={"Host": host})
    assert response.json()["meta"]["docs_url"] == f"{base}/docs/errors#not_found"


def test_the_public_url_setting_wins_over_the_host_header(world, api):
    world.public_url = "https://voice.example/"
    fresh = type(api)(world)
    response = fresh.get("/v1/nothing", headers={"Host": "evil.example"})
    assert response.json()["meta"]["docs_url"] == "https://voice.example/docs/errors#not_found"
