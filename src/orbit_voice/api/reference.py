"""The API reference for people: the OpenAPI document as one HTML page without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_REF: Final = "#/components/schemas/"


def render_reference(document: Mapping[str, Any]) -> str:
    """Return the HTML of an OpenAPI document's operations and schemas, in document order."""
    operations = list(_operations(document))
    links = "".join(
        f'<li><a href="#{escape(anchor)}"><code>{method} {escape(path)}</code></a> '
        f"{escape(operation['summary'])}</li>"
        for anchor, method, path, operation in operations
    )
    sections = "".join(_operation(*item) for item in operations)
    schemas = "".join(
        _schema(name, schema) for name, schema in document["components"]["schemas"].items()
    )
    return (
        f"<p>{escape(document['info']['description'])} "
        'As data: <a href="/openapi.json">openapi.json</a>. '
        'Errors: <a href="/docs/errors">list of codes</a>.</p>'
        f"<ul>{links}</ul>{sections}<section><h2>Objects</h2>{schemas}</section>"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


def _operation(anchor: str, method: str, path: str, operation: Schema) -> str:
    parts = [
        f'<section id="{escape(anchor)}"><h2>{escape(operation["summary"])}</h2>'
        f"<pre>{method} {escape(path)}</pre><p>{_authentication(operation)}</p>"
    ]
    if parameters := operation.get("parameters"):
        parts.append(_parameters(parameters))
    if body := operation.get("requestBody"):
        parts.append(_body(body["content"]["application/json"]))
    parts.append(_responses(operation["responses"]))
    return "".join(parts) + "</section>"


def _authentication(operation: Schema) -> str:
    return "Needs an API key." if operation.get("security") else "Open to everyone."


def _parameters(parameters: list[Schema]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{_type(one['schema'])}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    head = "<tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>"
    return f"<table>{head}{rows}</table>"


def _body(content: Schema) -> str:
    examples = "".join(
        f"<pre>{escape(json.dumps(example['value'], indent=2, ensure_ascii=False))}</pre>"
        for example in content.get("examples", {}).values()
    )
    return f"<p>Body: {_type(content['schema'])}</p>{examples}"


def _responses(responses: Mapping[str, Schema]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{_contents(response)}</td>"
        f"<td>{escape(response['description']).replace(' · ', '<br>')}</td></tr>"
        for status, response in responses.items()
    )
    return f"<table><tr><th>status</th><th>object</th><th></th></tr>{rows}</table>"


def _contents(response: Schema) -> str:
    content = response.get("content", {})
    return ", ".join(
        _type(one["schema"]) if kind == "application/json" else escape(kind)
        for kind, one in content.items()
    )


def _schema(name: str, schema: Schema) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(one)}</td>"
        f"<td>{'required' if field in required else ''}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    )
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", []))
    table = f"<table>{rows}</table>" if rows else f"<p>{values}</p>"
    about = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{about}</p>{table}'


def _type(schema: Schema) -> str:
    """Return a schema in a few words, with a link where it has a name."""
    if (reference := schema.get("$ref")) is not None:
        name = escape(reference.removeprefix(_REF))
        return f'<a href="#{name}">{name}</a>'
    if choices := schema.get("anyOf"):
        return " or ".join(_type(choice) for choice in choices)
    if values := schema.get("enum"):
        return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(kind if isinstance(kind, str) else " or ".join(kind)) + _limits(schema)


def _limits(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" {schema['minimum']}-{schema['maximum']}"
    return ""
