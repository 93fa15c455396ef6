"""Who may do what with orders and task results."""

from typing import Any

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework_api_key.models import APIKey

from chassis.keys import ApiKeyAuthentication, key_in


class KeyNotYetChecked(ApiKeyAuthentication):
    """Takes the key as it came: the webhook looks it up together with its order."""

    def authenticate(self, request: Request) -> Any:
        key = key_in(request)
        if not key:
            raise NotAuthenticated()
        return None, key


class IsUser(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class ReadsOwnOrWritesAsStaff(BasePermission):
    """Users read what is theirs; staff and service keys read and write all. A scoped key opens
    nothing here.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, APIKey):
            return True
        if not request.user:
            return False
        return request.user.is_staff or request.method in SAFE_METHODS
