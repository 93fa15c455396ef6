"""Accounts, groups and tokens in the admin, and the admin's sign-in."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from rest_framework.authtoken.admin import TokenAdmin as RawTokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from chassis.admin import asks_first
from chassis.admin_lists import ListAdmin
from chassis.admin_login import AdminLoginForm
from users import services
from users.models import AccessToken, CustomUser, ThrottleCount


class LoginForm(AdminLoginForm):
    counts = ThrottleCount

    def account(self, login: str) -> str:
        return services.identify_account(login=login)


admin.site.login_form = LoginForm
admin.site.unregister([Group, TokenProxy])  # TokenProxy's pages show keys


@admin.register(CustomUser)
class CustomUserAdmin(DjangoUserAdmin, ListAdmin):
    """Accounts are closed, not deleted: their orders stay."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "phone_number", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "date_joined")
    search_fields = ("username", "email")
    ordering = ("-date_joined",)
    readonly_fields = ("last_login", "date_joined")
    actions = ("close_accounts",)
    add_fieldsets = (
        (
            None,
            {
                "fields": (
                    "username",
                    "email",
                    "phone_number",
                    "usable_password",
                    "password1",
                    "password2",
                )
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        return (*fieldsets, ("Contact", {"fields": ("phone_number",)}))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @action(description="Close and anonymise the accounts", permissions=["change"])
    @asks_first("Nobody can sign in to them again; their orders stay.")
    def close_accounts(self, request: HttpRequest, queryset: "QuerySet[CustomUser]") -> None:
        for user in queryset:
            services.close_account(user=user)
            user.refresh_from_db()
            self.log_change(request, user, "Closed and anonymised.")
        count = len(queryset)
        self.message_user(request, f"{count} account{pluralize(count)} closed.")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ListAdmin):
    pass


@admin.register(AccessToken)
class TokenAdmin(RawTokenAdmin, ListAdmin):
    """Who has a token, and to revoke it. Its key is shown to its user alone, who signs in."""

    list_display = ("masked", "user", "created")
    fields = readonly_fields = ("masked", "user", "created")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
