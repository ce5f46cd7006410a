"""`/openapi.json`: what the table of routes serves, as OpenAPI 3.1."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from proxy import __version__
from proxy.admin.routes import Answer, Parameter, Route

_IN_PATH = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
_REFERENCES = "#/components/schemas/{name}"
_AS_IT_IS = {"type": "string"}  # what is no JSON


def described(routes: Sequence[Route]) -> dict[str, Any]:
    """The document. Made once: the table never changes while a process runs."""
    kinds = {kind: None for route in routes for kind in _types(route)}
    made, named = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    schemas = dict(zip(map(id, kinds), made, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _IN_PATH.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": __version__,
            "description": "The admin side. Tokens and roles: docs/admin.md.",
        },
        "paths": paths,
        "components": {
            "schemas": named,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types(route: Route) -> list[Any]:
    answered = [answer.type for answer in route.answers.values()]
    return answered if route.body is None else [*answered, route.body]


def _operation(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    words = [route.method.lower(), *re.findall(r"\w+", _IN_PATH.sub(r"\1", route.path))]
    in_path = [_parameter(Parameter(name, route.sees), "path") for name in _names(route.path)]
    made: dict[str, Any] = {
        "operationId": "_".join(words),
        "summary": route.does,
        # For a scheme that is not OAuth's these are the roles that one of them is needed of.
        "security": [] if route.role is None else [{"token": [route.role.value]}],
        "parameters": [*in_path, *(_parameter(each, "query") for each in route.query)],
        "responses": {
            str(status): _response(status, answer, schemas)
            for status, answer in route.answers.items()
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas[id(route.body)]}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _names(path: str) -> list[str]:
    return _IN_PATH.findall(path)


def _parameter(each: Parameter, where: str) -> dict[str, Any]:
    schema = each.schema
    if each.most > 1:
        schema = {"type": "array", "items": schema, "maxItems": each.most}
    made = {"name": each.name, "in": where, "required": where == "path", "schema": schema}
    return made | ({"description": each.meaning} if each.meaning else {})


def _response(status: int, answer: Answer, schemas: dict[int, Any]) -> dict[str, Any]:
    content = {
        media: {"schema": schemas[id(answer.type)] if "json" in media else _AS_IT_IS}
        for media in answer.media
    }
    return {"description": answer.meaning or HTTPStatus(status).phrase, "content": content}
