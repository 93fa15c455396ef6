"""API keys in the admin: made, shown once, revoked. Their hashes are on no page.

A key's id in the database holds its hash, so keys are named by their prefix here, and have no
pages of their own; nothing of a key could be edited there but when it ends.
"""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_api_key.admin import APIKeyModelAdmin
from rest_framework_api_key.models import AbstractAPIKey
from unfold.decorators import action, display

from chassis.admin import ReadOnlyAdmin, ReadOnlyInline, asks_first
from chassis.admin_lists import badge

STATES = ("usable", "expired", "revoked")


@display(description="state")
def state(self: Any, key: AbstractAPIKey) -> str:
    if key.revoked:
        return badge("revoked", "danger")
    return badge("expired", "warning") if key.has_expired else badge("usable", "success")


class StateFilter(SimpleListFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        expired = Q(expiry_date__lt=timezone.now())
        if self.value() == "revoked":
            return queryset.filter(revoked=True)
        if self.value() == "expired":
            return queryset.filter(expired, revoked=False)
        if self.value() == "usable":
            return queryset.exclude(expired).filter(revoked=False)
        return queryset


class KeyAdmin(ReadOnlyAdmin, APIKeyModelAdmin):
    """Keys of one model; a subclass says what they open."""

    opens = ""

    ordering = ("-created",)
    list_display: tuple[str, ...] = ("prefix", "name", "created", "expiry_date", "state")
    list_display_links = None
    list_filter = (StateFilter, "created")
    search_fields: tuple[str, ...] = ("prefix", "name")
    search_help_text = "Prefix or name"
    actions = ("revoke",)
    fields: tuple[str, ...] = ("name", "expiry_date")

    state = state

    def id_of(self, row: AbstractAPIKey) -> str:
        return str(row.prefix)

    def label_of(self, row: AbstractAPIKey) -> str:
        return f"{row.prefix} {row.name}"

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        prefixes = request.POST.getlist(ACTION_CHECKBOX_NAME)
        chosen = queryset.filter(prefix__in=prefixes).values_list("pk", flat=True)
        post = request.POST.copy()
        post.setlist(ACTION_CHECKBOX_NAME, list(chosen))
        request.POST = post  # type: ignore[assignment]
        return super().response_action(request, queryset)

    @action(description="Revoke the keys for good", permissions=["operate"])
    @asks_first("Who uses one gets 401 from then on.")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        chosen = list(queryset)
        keys = [key for key in chosen if not key.revoked]
        rows = self.model._default_manager.filter(pk__in=[key.pk for key in keys], revoked=False)
        done = rows.update(revoked=True)
        for key in keys:
            self._log(request, key, CHANGE, "Revoked.")
        self.report(request, done, len(chosen), did="revoked", why="revoked before")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_add_permission(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        once = "The key is shown once, after it is saved; only its hash is kept."
        return [(None, {"fields": self.fields, "description": f"{self.opens} {once}"})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        only_save = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **only_save})

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Without Django's own message, which links to the key's id."""
        return self.response_post_save_add(request, obj)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        return self._log(request, obj, ADDITION, message)

    def _log(self, request: HttpRequest, key: Any, flag: int, message: Any) -> LogEntry:
        return LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=get_content_type_for_model(key),
            object_repr=self.label_of(key)[:200],
            action_flag=flag,
            change_message=message,
        )


class KeyInline(ReadOnlyInline):
    """The keys that open one row, on its page."""

    ordering = ("-created",)
    fields = readonly_fields = ("prefix", "name", "created", "expiry_date", "state")
    state = state
