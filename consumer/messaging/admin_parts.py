"""The filters of the admin's lists, what is shown on a message's and a task's page, and colours."""

from datetime import UTC
from typing import Any

from celery import states
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_celery_results.models import TaskResult

from chassis.admin import AttemptInline
from chassis.admin_keys import KeyInline
from chassis.admin_lists import badge
from messaging import targets
from messaging.models import DeliveryAttempt, Host, State, TaskAPIKey

HOSTS_OFFERED = 20

STATES = {  # of a message, and their colours
    State.PROCESSING: "info",
    State.DELIVERING: "info",
    State.DELIVERED: "success",
    State.GONE: "warning",
    State.DEAD: "danger",
}
STATUSES = {  # of a task
    states.PENDING: "info",
    states.STARTED: "info",
    states.RETRY: "warning",
    states.SUCCESS: "success",
    states.FAILURE: "danger",
    states.REVOKED: "danger",
}


def status_of(task: TaskResult) -> str:
    return badge(task.status, STATUSES.get(task.status, "info"))


def breaker_of(host: Host) -> str:
    if host.open_until is None:
        return badge("closed", "success")
    if host.open_until <= timezone.now():
        return badge("probing", "warning")
    return badge(f"open until {host.open_until.astimezone(UTC):%H:%M:%SZ}", "danger")


def hosts_at(url: str) -> list[int]:
    """The keys of the hosts that a webhook's address, or its beginning, is at: one at most."""
    try:
        origin = targets.origin_of(url)
    except targets.InvalidTarget:
        return []
    return list(Host.objects.filter(name=origin).values_list("pk", flat=True))


class HostFilter(SimpleListFilter):
    """A bounded choice, the worst first; a host's own page leads to any other one."""

    title, parameter_name = "host", "host"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = dict(
            Host.objects.order_by("-failures", "id").values_list("pk", "name")[:HOSTS_OFFERED]
        )
        chosen = self.value() or ""
        if chosen.isdecimal() and int(chosen) not in offered:
            offered |= dict(Host.objects.filter(pk=chosen).values_list("pk", "name"))
        return [(str(pk), name) for pk, name in offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(host=chosen) if chosen.isdecimal() else queryset


class StatusFilter(SimpleListFilter):
    """The states that Celery has: to find those in use would read the whole table."""

    title, parameter_name = "status", "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, status) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class BreakerFilter(SimpleListFilter):
    title, parameter_name = "breaker", "breaker"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open or probing"), ("failing", "failing"), ("closed", "closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "failing":
            return queryset.filter(failing_since__isnull=False)
        if self.value() in ("open", "closed"):
            return queryset.filter(open_until__isnull=self.value() == "closed")
        return queryset


class DeliveryAttemptInline(AttemptInline):
    model = DeliveryAttempt


class TaskKeyInline(KeyInline):
    model = TaskAPIKey
