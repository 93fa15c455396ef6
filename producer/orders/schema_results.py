"""The task results' endpoints in the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from chassis.openapi import answers
from orders import answers as shown
from orders import serializers
from orders.examples import RESULT, RESULT_SHOWN
from orders.schema import answered, sent

TASK_ID = OpenApiParameter("pk", {"type": "string", "minLength": 1}, OpenApiParameter.PATH)

EDIT: dict[str, Any] = {
    "description": "For staff and service keys.",
    "tags": ["task results"],
    "parameters": [TASK_ID],
    "request": serializers.TaskResultEditSerializer,
    "responses": answers({200: shown.TaskResultAnswer}, 403, 404),
    "examples": [
        sent("Another result", {"result": RESULT["result"]}),
        answered("The result", RESULT_SHOWN),
    ],
}

task_results = extend_schema_view(
    list=extend_schema(
        operation_id="list_task_results",
        summary="List task results, the newest first",
        description="With a token those of one's own orders; staff and service keys see all.",
        tags=["task results"],
        responses=answers({200: shown.TaskResultAnswer(many=True)}, 400, 403),
        examples=[answered("One result", RESULT_SHOWN)],
    ),
    create=extend_schema(
        operation_id="create_task_result",
        summary="Write a task result by hand",
        description="For staff and service keys. It moves no order.",
        tags=["task results"],
        request=serializers.TaskResultSerializer,
        responses=answers({201: shown.TaskResultAnswer}, 403),
        examples=[sent("A result", RESULT), answered("The result", RESULT_SHOWN)],
    ),
    retrieve=extend_schema(
        operation_id="get_task_result",
        summary="One task result",
        tags=["task results"],
        parameters=[TASK_ID],
        responses=answers({200: shown.TaskResultAnswer}, 403, 404),
        examples=[answered("The result", RESULT_SHOWN)],
    ),
    update=extend_schema(
        operation_id="replace_task_result", summary="Change a task result", **EDIT
    ),
    partial_update=extend_schema(
        operation_id="change_task_result", summary="Change some of a task result", **EDIT
    ),
    destroy=extend_schema(
        operation_id="delete_task_result",
        summary="Delete a task result",
        description="For staff and service keys.",
        tags=["task results"],
        parameters=[TASK_ID],
        responses=answers({204: None}, 403, 404),
    ),
)
