"""Who may come in: the admin's users and their sign-in, and the keys of other services."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from rest_framework_api_key.models import APIKey
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from chassis.admin_keys import KeyAdmin
from chassis.admin_lists import ListAdmin
from chassis.admin_login import AdminLoginForm
from messaging.models import ThrottleCount


class LoginForm(AdminLoginForm):
    counts = ThrottleCount


admin.site.login_form = LoginForm
admin.site.unregister([APIKey, User, Group])  # plain, by their packages


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ListAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ListAdmin):
    pass


@admin.register(APIKey)
class ServiceKeyAdmin(KeyAdmin):
    opens = "It opens the whole service: sending messages, all tasks and their results."
