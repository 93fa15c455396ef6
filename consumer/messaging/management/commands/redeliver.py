"""`manage.py redeliver`: post results to their webhooks again."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from chassis.commands import RedeliverCommand
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
    id_help = "a task_id or an order key"
    dead_help = "all messages whose delivery was given up"

    def by_ids(self, ids: list[str]) -> QuerySet[Message]:
        with_result = Message.objects.exclude(state=State.PROCESSING)
        return with_result.filter(Q(task__task_id__in=ids) | Q(order_key__in=ids))

    def dead(self) -> QuerySet[Message]:
        return Message.objects.filter(state=State.DEAD)

    def older_than(self, minutes: float) -> QuerySet[Message]:
        old = timezone.now() - timedelta(minutes=minutes)
        return Message.objects.filter(state__in=(State.DELIVERING, State.DEAD), created_at__lt=old)

    def send(self, rows: QuerySet[Any], over_seconds: float) -> int:
        return services.redeliver(messages=rows, over_seconds=over_seconds)
