from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute

REFERENCE = re.compile(r"#/components/(\w+)/(.+)")


@pytest.fixture
def document(api):
    response = api.get("/openapi.json")
    assert response.status_code == 200
    return response.json()


def nodes(value):
    """Yield every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)


def test_the_document_is_openapi_3_1_and_says_which_product_it_is_of(document):
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"]
    assert document["info"]["version"]


def test_every_route_is_in_the_document_once_and_nothing_else_is(api, document):
    served = {
        (route.path, method.lower())
        for route in api.app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
    documented = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert documented == served
    assert not any(path.startswith("/api/") for path, _ in documented)


def test_every_reference_in_the_document_leads_somewhere(document):
    references = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert references
    for reference in references:
        kind, name = REFERENCE.fullmatch(reference).groups()
        assert name in document["components"][kind], reference


def test_every_operation_names_itself_its_parameters_and_its_errors(document):
    names = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names.append(operation["operationId"])
            assert operation["summary"], (path, method)
            given = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert given == set(re.findall(r"{(\w+)}", path)), (path, method)
            if path.startswith("/v1/"):
                assert {"401", "403"} <= set(operation["responses"]), (path, method)
                assert operation["security"], (path, method)
    assert len(names) == len(set(names))
