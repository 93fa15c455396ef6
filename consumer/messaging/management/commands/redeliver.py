"""`manage.py redeliver`: post results to their webhooks again."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_celery_results.models import TaskResult

from chassis.commands import RedeliverCommand, uuids_in
from messaging import services
from messaging.models import Message, State


class Command(RedeliverCommand):
    help = "Post results to their webhooks again, at a bounded rate, under the same webhook-id."
    examples = (
        "--dead --dry-run",
        "--dead",
        "--older-than 10",
        "7d0ff7ad-9a4c-4f3c-a0a8-0f0b6d8f8d53 7KX2MPQ4RTVW9YAB",
    )
    id_help = "a task_id, a message_id (the order's uuid) or an order key"
    dead_help = "all messages whose delivery was given up"

    def by_ids(self, ids: list[str]) -> QuerySet[Message]:
        with_result = Message.objects.exclude(state=State.PROCESSING)
        # Looked up apart: for a condition over both tables PostgreSQL reads them from end to end.
        tasks = list(TaskResult.objects.filter(task_id__in=ids).values_list("pk", flat=True))
        named = Q(task__in=tasks) | Q(message_id__in=uuids_in(ids)) | Q(order_key__in=ids)
        return with_result.filter(named)

    def dead(self) -> QuerySet[Message]:
        return Message.objects.filter(state=State.DEAD)

    def older_than(self, minutes: float) -> QuerySet[Message]:
        old = timezone.now() - timedelta(minutes=minutes)
        return Message.objects.filter(state__in=(State.DELIVERING, State.DEAD), created_at__lt=old)

    def send(self, rows: QuerySet[Any], over_seconds: float) -> int:
        return services.redeliver(messages=rows, over_seconds=over_seconds)
