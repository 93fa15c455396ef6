"""What the admins of both services share: read-only pages with actions, deletions that a service
decides about, rows shown on another row's page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.admin import TabularInline
from unfold.decorators import display

from chassis.admin_lists import LargeTableAdmin, badge, page_of
from chassis.outbox import NO_ANSWER, NOT_TAKEN, TAKEN, Attempt
from chassis.problems import Conflict

ListAction = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def asks_first(consequence: str) -> Callable[[ListAction], ListAction]:
    """For a list's action that can't be undone: a page names the rows and asks before it is done.

    A button on a row's page has a dialog of its own, and chooses no rows.
    """

    def wrap(act: ListAction) -> ListAction:
        @wraps(act)
        def ask(self: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
            if ACTION_CHECKBOX_NAME not in request.POST:
                return act(self, request, queryset)
            if "sure" in request.POST:  # of those on the page some may have left the list's filter
                chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
                return act(self, request, self.get_queryset(request).filter(pk__in=chosen))
            name = request.POST["action"]
            context = {
                **self.admin_site.each_context(request),
                "title": f"{self.get_actions(request)[name][2]}?",
                "consequence": consequence,
                "rows_asked_for": [(self.id_of(row), self.label_of(row)) for row in queryset],
                "action": name,
                "opts": self.opts,
                "media": self.media,
            }
            return TemplateResponse(request, "chassis/ask.html", context)

        return ask

    return wrap


class ReadOnlyAdmin(LargeTableAdmin):
    """Rows that no form writes: they change by what services do, or not at all.

    An action takes the permission `operate`, which is the user's to change the model.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request)

    def takes_actions(self, row: Any) -> bool:
        """Whether the buttons on a row's page would do anything."""
        return True

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, unquote(object_id)) if actions else None
        return actions if row is not None and self.takes_actions(row) else []

    def act_on(
        self, request: HttpRequest, object_id: str, act: Callable[[HttpRequest, Any], None]
    ) -> HttpResponse:
        """Do to one row what an action of the list does, and go back to its page.

        Its dialog is sent by htmx, or by the browser where there is no script.
        """
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        act(request, self.model._default_manager.filter(pk=row.pk))
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Redirect": page_of(row)})
        return redirect(page_of(row))

    def report(self, request: HttpRequest, done: int, asked: int, *, did: str, why: str) -> None:
        """Say how many of the rows asked for were done, how many left alone, and why."""
        said = f"{self._counted(done)} {did}." if done else ""
        if left := asked - done:
            said += f" {self._counted(left)} left alone: {why}."
        level = messages.WARNING if left else messages.SUCCESS
        self.message_user(request, said.strip(), level)

    def _counted(self, number: int) -> str:
        opts = self.opts
        return f"{number} {opts.verbose_name if number == 1 else opts.verbose_name_plural}"


class DeletedByServiceAdmin(ReadOnlyAdmin):
    """Rows that a service deletes, one at a time, with all that hangs on it; or refuses to."""

    goes_along = ""  # what hangs on a row, for the page that asks

    def can_delete(self, row: Any) -> bool:
        raise NotImplementedError

    def delete_by_service(self, row: Any) -> None:
        """Raises Conflict where the row may not be deleted."""
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:  # a list: nothing is deleted from there
            return False
        return super(ReadOnlyAdmin, self).has_delete_permission(request) and self.can_delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """The permission for the row is enough for what hangs on it, which is not collected."""
        counts = {self.opts.verbose_name_plural: len(objs)}
        return [*map(str, objs), self.goes_along], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_by_service(obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except Conflict as error:  # it changed since the page was shown
            self.message_user(request, str(error.detail), messages.ERROR)
            opts = self.opts
            return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", object_id)


class ReadOnlyInline(TabularInline):
    """Rows shown on the page of the row that they belong to, newest first."""

    extra = 0
    max_num = 0
    can_delete = False
    template = "chassis/rows.html"
    ordering: tuple[str, ...] = ("-id",)
    per_page = 20

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@display(description="answer")
def answer(self: Any, attempt: Attempt) -> str:
    """The column of both admins of attempts: the HTTP status in its colour."""
    if attempt.status is None:
        return badge("no answer", "danger")
    return badge(str(attempt.status), "success" if attempt.status < 300 else "warning")


class AnswerFilter(SimpleListFilter):
    title, parameter_name = "answer", "answer"
    conditions = {
        "taken": TAKEN,
        "not taken": NOT_TAKEN,
        "no answer": NO_ANSWER,
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(answer, answer) for answer in self.conditions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.conditions.get(self.value() or "")
        return queryset.filter(condition) if condition else queryset


class AttemptInline(ReadOnlyInline):
    fields = readonly_fields = ("at", "answer", "ms", "error")
    answer = answer


class AttemptAdmin(ReadOnlyAdmin):
    """Attempts of all rows; they may be left of a row that was deleted while it was being sent."""

    list_filter = (AnswerFilter, "at")
    answer = answer
