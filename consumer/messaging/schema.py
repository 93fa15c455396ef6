"""The endpoints in the OpenAPI document. Nothing of it runs when a request is answered."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_view,
)

from chassis.openapi import Schema, answers
from messaging import answers as shown
from messaging import serializers
from messaging.examples import ACCEPTED, MESSAGE, PROCESSED, QUEUED_TASK, TASK, WITH_ID


class MessageBody(OpenApiSerializerExtension):
    target_class = "messaging.serializers.MessageSerializer"

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        for name, text in {
            "webhook_url": "Where the result is posted: http or https, to a public address or to "
            "an origin in WEBHOOK_ALLOWED_ORIGINS.",
            "message_id": "The same id with the same body again answers the first task.",
            "webhook_api_key": "Sent to the webhook as `Authorization: Api-Key …`, and erased once "
            "the result is delivered or the webhook gone: to redeliver it after that, send the "
            "message again.",
            "request_id": "Logged with the message, and sent to the webhook as `X-Request-ID`. "
            "That of this request unless given.",
        }.items():
            schema["properties"][name]["description"] = text
        return schema


A_MESSAGE = {"$ref": "#/components/schemas/Message"}
ONE_OR_MANY = {
    "oneOf": [
        A_MESSAGE,
        {
            "type": "array",
            "items": A_MESSAGE,
            "minItems": 1,
            "maxItems": serializers.MOST_MESSAGES,
        },
    ]
}
ACCEPTED_ONE_OR_MANY = PolymorphicProxySerializer(
    component_name="Accepted",
    serializers=[shown.AcceptedAnswer, shown.AcceptedAnswer(many=True)],
    resource_type_field_name=None,
    many=False,
)
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[202],
    description="The task's URL; a list has none.",
)
TASK_ID = OpenApiParameter("pk", {"type": "string", "minLength": 1}, OpenApiParameter.PATH)
BY_HAND = {"task_id": "by-hand-1", "status": "SUCCESS", "result": "USDABC123pending"}


def sent(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def answered(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True)


a_task = answered("The task", TASK)
QUEUED = OpenApiExample("The task", QUEUED_TASK)

send_message = extend_schema_view(
    post=extend_schema(
        operation_id="send_message",
        summary="Have a message processed, or a list of them",
        description="Answered at once with the task of each; a list is all or nothing. The result "
        "is posted to the message's `webhook_url`.",
        tags=["messages"],
        parameters=[LOCATION],
        request={"application/json": ONE_OR_MANY},
        responses=answers(
            {
                202: OpenApiResponse(
                    ACCEPTED_ONE_OR_MANY,
                    examples=[
                        OpenApiExample("One task", ACCEPTED),
                        OpenApiExample("A list", [ACCEPTED]),
                    ],
                )
            },
            403,
            409,
            422,
        ),
        examples=[
            sent("One message", MESSAGE),
            sent("A list", [WITH_ID]),
        ],
    )
)

process_message = extend_schema_view(
    post=extend_schema(
        operation_id="process_message",
        summary="Process a message within the request",
        description="The result is stored, and posted back like any other.",
        tags=["messages"],
        request=serializers.MessageSerializer,
        responses=answers({200: shown.ProcessedAnswer}, 403, 409, 422),
        examples=[sent("A message", MESSAGE), answered("Its result", PROCESSED)],
    )
)

redeliver = extend_schema(
    operation_id="redeliver_task",
    summary="Post a task's result again",
    description="409 while it is processed, or where it has no message.",
    tags=["tasks"],
    parameters=[TASK_ID],
    request=None,
    responses=answers(
        {
            202: OpenApiResponse(
                shown.TaskAnswer, "It is posted at once, or once its host answers again.", [QUEUED]
            )
        },
        403,
        404,
        409,
    ),
)

tasks = extend_schema_view(
    list=extend_schema(
        operation_id="list_tasks",
        summary="List tasks, the newest first",
        tags=["tasks"],
        parameters=[serializers.TaskFilters],
        responses=answers({200: shown.TaskAnswer(many=True)}, 400, 403),
        examples=[a_task],
    ),
    create=extend_schema(
        operation_id="create_task",
        summary="Write a task by hand",
        description="It runs and delivers nothing.",
        tags=["tasks"],
        request=serializers.TaskSerializer,
        responses=answers({201: shown.TaskAnswer}, 403),
        examples=[sent("A task", BY_HAND), a_task],
    ),
    retrieve=extend_schema(
        operation_id="get_task",
        summary="One task, its result and its delivery",
        description="A key that was made for one task shows that task, and nothing else.",
        tags=["tasks"],
        parameters=[TASK_ID],
        responses=answers({200: shown.TaskAnswer}, 403, 404),
        examples=[a_task],
    ),
    update=extend_schema(
        operation_id="replace_task",
        summary="Change a task that has no message",
        tags=["tasks"],
        parameters=[TASK_ID],
        request=serializers.TaskEditSerializer,
        responses=answers({200: shown.TaskAnswer}, 403, 404, 409),
        examples=[sent("A state", {"status": "FAILURE", "result": "no reason"}), a_task],
    ),
    partial_update=extend_schema(
        operation_id="change_task",
        summary="Change some of a task that has no message",
        tags=["tasks"],
        parameters=[TASK_ID],
        request=serializers.TaskEditSerializer,
        responses=answers({200: shown.TaskAnswer}, 403, 404, 409),
        examples=[sent("A state", {"status": "FAILURE"}), a_task],
    ),
    destroy=extend_schema(
        operation_id="delete_task",
        summary="Delete a task",
        description="One that has a message only once its delivery has ended.",
        tags=["tasks"],
        parameters=[TASK_ID],
        responses=answers({204: None}, 403, 404, 409),
    ),
)
