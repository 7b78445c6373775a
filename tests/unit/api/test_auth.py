from __future__ import annotations

import pytest

from orbit_voice.store.api_keys import Scope


def walk(api, ids, **options):
    """Call every operation; yield it and its answer."""
    for operation in api.operations():
        path = operation.filled(ids)
        yield operation, api.request(operation.method, path, json=operation.example, **options)


def test_no_operation_works_without_a_key(api, world, tmp_path):
    ids = world.seed(tmp_path)
    api.key = None
    for operation, response in walk(api, ids):
        assert response.status_code == 401, operation
        assert response.json()["error"]["code"] == "UNAUTHORIZED"
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_no_operation_works_with_an_unknown_key(api, world, tmp_path):
    ids = world.seed(tmp_path)
    api.key = "dv_live_sk_nobodys"
    for operation, response in walk(api, ids):
        assert response.status_code == 401, operation
        assert response.json()["error"]["code"] == "INVALID_API_KEY"


def test_every_operation_needs_exactly_its_own_scope(api, world, tmp_path):
    ids = world.seed(tmp_path)
    keys = {
        scope: world.keys.add(f"dv_live_sk_{scope}", scopes=frozenset({scope})) for scope in Scope
    }
    for operation in api.operations():
        if "/api-keys" in operation.path:
            needed = Scope.ADMIN
        else:
            needed = Scope.READ if operation.method == "GET" else Scope.WRITE
        for scope, key in keys.items():
            if scope is needed:
                continue
            response = api.request(
                operation.method,
                operation.filled(ids),
                json=operation.example,
                headers={"X-API-Key": key},
            )
            assert response.status_code == 403, (operation, scope)
            error = response.json()["error"]
            assert error["code"] == "INSUFFICIENT_PERMISSIONS"
            assert error["details"]["expected"] == needed


def test_another_organizations_resources_do_not_exist(api, world, tmp_path):
    theirs = world.seed(tmp_path, "org_theirs")
    rows = [dict(store.rows) for store in (world.calls, world.trunks, world.numbers, world.keys)]
    with_ids = 0
    for operation, response in walk(api, theirs):
        if "{" not in operation.path:
            continue
        with_ids += 1
        assert response.status_code == 404, operation
        assert response.json()["error"]["code"] == "NOT_FOUND"
    assert with_ids >= 15
    assert world.calls.commands == []
    for before, store in zip(
        rows, (world.calls, world.trunks, world.numbers, world.keys), strict=True
    ):
        assert before.items() <= store.rows.items()


def test_lists_show_no_row_of_another_organization(api, world, tmp_path):
    world.seed(tmp_path, "org_theirs")
    for path in ("/v1/voice/calls", "/v1/voice/sip-trunks", "/v1/numbers", "/v1/settings/api-keys"):
        body = api.get(path).json()
        assert (body["data"], body["meta"]["pagination"]["total"]) == ([], 0)


@pytest.mark.parametrize(
    "bad_id", ["no-such-id", "call_%00", "%F0%9F%93%9E", "a" * 65, "call_1%20OR%201"]
)
def test_an_id_of_the_wrong_form_gets_404(api, bad_id):
    for path in (
        "/v1/voice/calls/{}",
        "/v1/voice/calls/{}/sip",
        "/v1/numbers/{}",
        "/v1/voice/sip-trunks/{}",
    ):
        assert api.get(path.format(bad_id)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "dv_live_sk_ours"},
        {"Authorization": "Bearer dv_live_sk_ours"},
        {"Authorization": "bearer   dv_live_sk_ours "},
        {"X-API-Key": " dv_live_sk_ours ", "Authorization": "Bearer other"},
    ],
)
def test_a_key_is_taken_from_either_header(api, headers):
    api.key = None
    assert api.get("/v1/voice/calls", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Basic ZHY6c2s="}, "UNAUTHORIZED"),
        ({"Authorization": "Bearer"}, "UNAUTHORIZED"),
        ({"Authorization": "dv_live_sk_ours"}, "UNAUTHORIZED"),
        ({"X-API-Key": ""}, "UNAUTHORIZED"),
        ({"X-API-Key": "x" * 257}, "INVALID_API_KEY"),
        ({"X-API-Key": "dv_live sk"}, "INVALID_API_KEY"),
        ({b"X-API-Key": b"\xff\xfe"}, "INVALID_API_KEY"),
    ],
)
def test_what_is_no_key_is_told_apart_from_a_wrong_key(api, headers, code):
    api.key = None
    assert api.get("/v1/voice/calls", headers=headers).json()["error"]["code"] == code


def test_health_and_docs_need_no_key(api):
    api.key = None
    for path in ("/healthz", "/readyz", "/docs", "/docs/errors", "/openapi.json"):
        assert api.get(path).status_code == 200
