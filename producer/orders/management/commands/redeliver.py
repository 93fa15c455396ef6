"""`manage.py redeliver`: send orders' messages to the consumer again."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from chassis.commands import RedeliverCommand, uuids_in
from orders import services
from orders.models import Order, OrderStatus


class Command(RedeliverCommand):
    help = "Send pending orders' messages to the consumer again, at a bounded rate."
    examples = (
        "--dead --dry-run",
        "--dead",
        "--older-than 10",
        "c151efba-f415-4d2a-8b8f-161f30456aff 7KX2MPQ4RTVW9YAB",
    )
    id_help = "an order's uuid or order key"
    dead_help = "all pending orders that the consumer refused"

    def pending(self) -> QuerySet[Order]:
        return Order.objects.filter(status=OrderStatus.PENDING)

    def by_ids(self, ids: list[str]) -> QuerySet[Order]:
        return self.pending().filter(Q(order_key__in=ids) | Q(uuid__in=uuids_in(ids)))

    def dead(self) -> QuerySet[Order]:
        return self.pending().filter(due_at__isnull=True)

    def older_than(self, minutes: float) -> QuerySet[Order]:
        return self.pending().filter(created_at__lt=timezone.now() - timedelta(minutes=minutes))

    def send(self, rows: QuerySet[Any], over_seconds: float) -> int:
        return services.send_again(orders=rows, over_seconds=over_seconds)
