"""Django's middleware for the admin's pages alone: an API call has no session, no form and no
messages.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware


def is_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith("/admin")


class AdminOnly:
    """Passes every other request straight on."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_admin(request):
            return super().__call__(request)  # type: ignore[misc]
        response: HttpResponseBase = self.get_response(request)
        return response


class AdminSessionMiddleware(AdminOnly, SessionMiddleware):
    pass


class AdminCommonMiddleware(AdminOnly, CommonMiddleware):
    pass


class AdminAuthenticationMiddleware(AdminOnly, AuthenticationMiddleware):
    pass


class AdminMessageMiddleware(AdminOnly, MessageMiddleware):
    pass


class AdminCsrfViewMiddleware(AdminOnly, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        return super().process_view(request, *args) if is_admin(request) else None
