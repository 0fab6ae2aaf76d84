"""The contract of a published pipeline, an OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final

from epkit.core.pipeline.publishable import SETTABLE, Publishable

_KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
_JOB: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "properties"],
    "properties": {
        "name": {"type": "string"},
        "properties": {
            "type": "object",
            "properties": {
                "status": {"type": "string"},
                "displayName": {"type": "string"},
                "experimentName": {"type": "string"},
            },
        },
    },
}
_RUN: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["Id"],
    "properties": {"Id": {"type": "string"}, "Status": {"type": "object"}},
}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body asks for the same run.",
    "schema": {"type": "string"},
}
_ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def contract(name: str, publishable: Sequence[Publishable], version: str) -> dict[str, Any]:
    """Return the document.

    Args:
        version: version of epkit.
    """
    set_by = {each.key: {"type": _KINDS[SETTABLE[each.key]]} for each in publishable}
    literals = {
        key: {
            "type": "object",
            "required": ["jobInputType", "value"],
            "properties": {"jobInputType": {"enum": ["Literal"], "type": "string"}, "value": kind},
        }
        for key, kind in set_by.items()
    }
    job_body = {
        "type": "object",
        "properties": {
            "properties": {
                "type": "object",
                "properties": {
                    "inputData": {"type": "object", "properties": literals, "additionalProperties": False},
                    "properties": {"type": "object", "properties": {"experimentName": {"type": "string"}}},
                },
            }
        },
        "example": {"properties": {"inputData": {}, "properties": {"experimentName": "pipeline-rest-endpoint"}}},
    }
    assignments = {key: {"type": ["string", kind["type"]]} for key, kind in set_by.items()}
    submit_body = {
        "type": "object",
        "properties": {
            "ExperimentName": {"type": "string"},
            "ParameterAssignments": {"type": "object", "properties": assignments, "additionalProperties": False},
        },
        "example": {"ExperimentName": "pipeline-rest-endpoint"},
    }
    paths = {
        "/jobs": {
            "post": _operation("Ask for a run", "201", _JOB, body=job_body, parameters=[_IDEMPOTENCY]),
            "get": _operation("List the runs that were asked for", "200", {"type": "object"}),
        },
        "/jobs/{id}": {"get": _operation("Show a run", "200", _JOB, parameters=[_ID])},
        "/jobs/{id}/log": {
            "get": _operation(
                "Read the log of a run: from an offset in bytes, below 0 from its end",
                "200",
                {"type": "object"},
                parameters=[_ID, {"name": "offset", "in": "query", "required": False, "schema": {"type": "integer"}}],
            )
        },
        "/jobs/{id}/cancel": {"post": _operation("End a run", "202", _JOB, parameters=[_ID])},
        f"/PipelineRuns/PipelineSubmit/{name}": {
            "post": _operation(
                "Ask for a run, as a published pipeline of SDK v1 takes it",
                "200",
                _RUN,
                body=submit_body,
                parameters=[_IDEMPOTENCY],
            )
        },
        "/PipelineRuns/{id}": {"get": _operation("Show a run, as SDK v1 has it", "200", _RUN, parameters=[_ID])},
        "/PipelineRuns/{id}/Execution": {
            "delete": _operation("End a run, as SDK v1 does", "200", None, parameters=[_ID])
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name}, a published pipeline", "version": version},
        "security": [{"key": []}],
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(
    summary: str,
    status: str,
    reply: dict[str, Any] | None,
    *,
    body: dict[str, Any] | None = None,
    parameters: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "done"}
    if reply is not None:
        done["content"] = {"application/json": {"schema": reply}}
    refused = {"description": "not done, and why", "content": {"application/json": {"schema": _ERROR}}}
    found: dict[str, Any] = {"summary": summary, "responses": {status: done, "default": refused}}
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found
