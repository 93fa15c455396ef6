"""The consumer's endpoints: thin; what they do is in `services` and `processing`."""

import json
from typing import Any

from django.db.models import Prefetch, QuerySet
from django_celery_results.models import TaskResult
from rest_framework import exceptions, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from chassis import logs
from chassis.api import filtered, validated
from chassis.clock import Now
from chassis.keys import ApiKeyAuthentication, IsServiceKey
from chassis.problems import Conflict
from messaging import acceptance, processing, results, schema, serializers, services
from messaging.models import DeliveryAttempt, Message
from messaging.permissions import ServiceKeyOrOwnTask

ATTEMPTS = Prefetch(
    "message__attempts_log",
    DeliveryAttempt.objects.order_by("-id")[: serializers.LOG_LENGTH],
    to_attr="attempts_shown",
)


@schema.send_message
class SendMessageView(APIView):
    """Accepts one message, or a list of them; answers at once with the task that handles each."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [IsServiceKey]

    def post(self, request: Request) -> Response:
        many = isinstance(request.data, list)
        limits: dict[str, Any] = (
            {"many": True, "min_length": 1, "max_length": serializers.MOST_MESSAGES} if many else {}
        )
        given = validated(serializers.MessageSerializer, request.data, **limits)
        accepted = (
            acceptance.accept_messages(messages=given)
            if many
            else [acceptance.accept_message(message=given)]
        )
        url = reverse("task-list", request=request)
        tasks = [
            {"task_id": task.task_id, "status": task.status, "url": f"{url}{task.task_id}/"}
            for task in (row.message.task for row in accepted)
        ]
        headers = {} if many else {"Location": tasks[0]["url"]}
        return Response(
            tasks if many else tasks[0], status=status.HTTP_202_ACCEPTED, headers=headers
        )


@schema.process_message
class ProcessMessageView(APIView):
    """Does a message's work within the request; its result is stored and posted back like any
    other.
    """

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [IsServiceKey]

    def post(self, request: Request) -> Response:
        task = processing.process_now(validated(serializers.MessageSerializer, request.data))
        return Response(
            {"task_id": task.task_id, "status": task.status, "result": results.outcome_of(task)}
        )


@schema.tasks
class TaskResultViewSet(viewsets.GenericViewSet[TaskResult]):
    """Tasks with their results and deliveries. A task that has a message can't be edited."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [ServiceKeyOrOwnTask]
    lookup_field = "task_id"
    lookup_url_kwarg = "pk"
    span_of = "date_created"

    def get_queryset(self) -> QuerySet[TaskResult]:
        return TaskResult.objects.select_related("message").prefetch_related(ATTEMPTS)

    def get_object(self) -> TaskResult:
        task = super().get_object()
        logs.note(task_id=task.task_id)
        return task

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(
            filtered(request, serializers.TaskFilters, self.get_queryset())
        )
        return self.get_paginated_response([serializers.task_json(task) for task in page or []])

    def create(self, request: Request) -> Response:
        fields = stored(validated(serializers.TaskSerializer, request.data))
        task, is_new = TaskResult.objects.get_or_create(
            task_id=fields.pop("task_id"), defaults=fields
        )
        if not is_new:
            taken = {"task_id": ["A task of this id is there already."]}
            raise exceptions.ValidationError(taken, code="unique")
        return Response(serializers.task_json(task), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(serializers.task_json(self.get_object()))

    def update(self, request: Request, pk: str, partial: bool = False) -> Response:
        task = self.get_object()
        if hasattr(task, "message"):
            raise Conflict("A task that has a message can't be edited.")
        changes = validated(serializers.TaskEditSerializer, request.data, partial=partial)
        TaskResult.objects.filter(pk=task.pk).update(**stored(changes), date_done=Now())
        return Response(serializers.task_json(self.get_object()))  # if not deleted meanwhile

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.update(request, pk, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        if not services.delete_task(task=task):
            raise Conflict("A task can be deleted once its delivery has ended.")
        return Response(status=status.HTTP_204_NO_CONTENT)

    @schema.redeliver
    def redeliver(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        if not services.redeliver(messages=Message.objects.filter(task=task)):
            raise Conflict(
                "There is no result to post: the task is being processed, or has no message."
            )
        return Response(serializers.task_json(self.get_object()), status=status.HTTP_202_ACCEPTED)


def stored(data: dict[str, Any]) -> dict[str, Any]:
    """A task's validated fields as django-celery-results keeps them: the result as JSON text."""
    fields = dict(data, content_type="application/json", content_encoding="utf-8")
    if "result" in fields:
        fields["result"] = json.dumps(fields["result"])
    return fields
