"""Signing in, by the API and the admin alike."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from users.models import CustomUser


class UsernameOrEmailBackend(ModelBackend):
    """Takes a username, or, having an "@", an email."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> CustomUser | None:
        """The active account with this password, or None.

        Takes as long for an unknown account as for a known one, so as not to tell which exist.
        """
        if username is None or password is None:
            return None
        user = CustomUser.objects.find(username)
        if user is None:
            CustomUser().set_password(password)
            return None
        right = user.check_password(password)
        return user if right and self.user_can_authenticate(user) else None
