"""The one registry of error codes is complete, and its page is the one in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from orbit_voice.kit.errors import ErrorCode, render_error_page

CONTRACT = {
    400: {"INVALID_CURSOR", "INVALID_JSON"},
    401: {"UNAUTHORIZED", "INVALID_API_KEY"},
    403: {"INSUFFICIENT_PERMISSIONS"},
    404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    409: {
        "CONFLICT",
        "CALL_NOT_ACTIVE",
        "CONFERENCE_ENDED",
        "CONFERENCE_FULL",
        "RESOURCE_IN_USE",
        "IDEMPOTENCY_IN_PROGRESS",
    },
    413: {"PAYLOAD_TOO_LARGE"},
    415: {"UNSUPPORTED_MEDIA_TYPE"},
    422: {
        "VALIDATION_ERROR",
        "MISSING_REQUIRED_FIELD",
        "INVALID_PHONE_NUMBER",
        "INVALID_WEBHOOK_URL",
        "INVALID_EMAIL",
        "INVALID_SIP_URI",
        "NUMBER_NOT_REGISTERED",
        "AGENT_NOT_FOUND",
        "IVR_NOT_FOUND",
        "NO_ROUTE",
        "DESTINATION_BLOCKED",
        "IDEMPOTENCY_KEY_REUSED",
    },
    429: {"RATE_LIMITED"},
    500: {"INTERNAL_ERROR"},
    503: {"SERVICE_UNAVAILABLE"},
}


def test_every_code_of_the_contract_has_its_http_status_and_no_other_code_exists() -> None:
    registry: dict[int, set[str]] = {}
    for code in ErrorCode:
        registry.setdefault(code.spec.http_status, set()).add(code.name)
    assert registry == CONTRACT


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_says_what_is_wrong_and_what_to_do(code: ErrorCode) -> None:
    assert code.spec.message.endswith(".")
    assert code.spec.hint.endswith(".")
    assert 400 <= code.spec.sip_status <= 699


def test_the_error_page_in_the_repository_is_the_rendered_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "errors.md"
    assert page.read_text(encoding="utf-8") == render_error_page()
