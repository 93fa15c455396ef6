"""Tasks, their results and the keys that open one, in the admin.

A result is written by the result backend, and by the API where it has no message: not here.
"""

from celery import states
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats
from django.utils.html import format_html
from django_celery_results.models import GroupResult, TaskResult
from unfold.decorators import display

from chassis.admin import DeletedByServiceAdmin, ReadOnlyAdmin
from chassis.admin_keys import KeyAdmin
from chassis.admin_lists import link_to, short
from chassis.problems import Conflict
from messaging import results, services
from messaging.admin_parts import StatusFilter, TaskKeyInline, status_of
from messaging.models import ENDED, TaskAPIKey

admin.site.unregister([GroupResult, TaskResult])  # registered plain by their package

LONG_COLUMNS = ("traceback", "meta", "task_args", "task_kwargs")  # columns that no list shows


def shown(task: TaskResult) -> str:
    outcome = results.outcome_of(task)
    return "-" if outcome is None else short(outcome, 255)


@admin.register(TaskResult)
class TaskResultAdmin(DeletedByServiceAdmin):
    list_display = ("task_id", "state", "outcome", "message_link", "date_created", "done")
    list_filter = (StatusFilter, "date_created")
    search_fields = ("task_id", "message__order_key", "message__message_id")
    search_help_text = "Task id, order key or message id"
    inlines = (TaskKeyInline,)
    fieldsets = (
        (None, {"fields": ("task_id", "task_name", "state", "message_link")}),
        ("Result", {"fields": ("outcome", "date_created", "done", "worker", "trace")}),
    )
    goes_along = "its message, delivery attempts and API keys"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskResult]:
        rows = super().get_queryset(request).select_related("message")
        return rows.defer("message__webhook_api_key", *LONG_COLUMNS)

    @display(description="status")
    def state(self, task: TaskResult) -> str:
        return status_of(task)

    @display(description="result")
    def outcome(self, task: TaskResult) -> str:
        return shown(task)

    @display(description="message")
    def message_link(self, task: TaskResult) -> str:
        message = getattr(task, "message", None)
        return link_to(message, message.order_key) if message else "-"

    @display(description="done")
    def done(self, task: TaskResult) -> str:
        """The package's own column is set from the first save on."""
        if task.status not in states.READY_STATES:
            return "-"
        return formats.date_format(task.date_done, "DATETIME_FORMAT")

    @display(description="traceback")
    def trace(self, task: TaskResult) -> str:
        if not task.traceback:
            return "-"
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', task.traceback)

    def can_delete(self, row: TaskResult) -> bool:
        message = getattr(row, "message", None)
        return message is None or message.state in ENDED

    def delete_by_service(self, row: TaskResult) -> None:
        if not services.delete_task(task=row):
            raise Conflict("A task can be deleted once its delivery has ended.")


@admin.register(GroupResult)
class GroupResultAdmin(ReadOnlyAdmin):
    list_display = ("group_id", "date_created", "date_done")
    search_fields = ("group_id",)
    search_help_text = "Group id"
    fields = ("group_id", "date_created", "date_done", "result")


@admin.register(TaskAPIKey)
class TaskKeyAdmin(KeyAdmin):
    opens = "It opens one thing: to read its task."
    fields = ("name", "task", "expiry_date")
    list_display = ("prefix", "name", "task_link", "created", "expiry_date", "state")
    list_select_related = ("task",)
    search_fields = ("prefix", "task__task_id")
    search_help_text = "Prefix or task id"
    autocomplete_fields = ("task",)

    @display(description="task")
    def task_link(self, key: TaskAPIKey) -> str:
        return link_to(key.task, key.task.task_id)
