"""Accounts, their tokens as the admin sees them, and the counts that throttle signing in."""

from typing import Any

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from rest_framework.authtoken.models import Token, TokenProxy

from chassis.counts import Count
from users.phone import PhoneNumberField

# No "@", so that no username can be another account's email.
validate_username = RegexValidator(
    r"^[\w.+-]+\Z", "A username has letters, digits and . + - _ only.", code="invalid"
)


class CustomUserManager(UserManager["CustomUser"]):
    def find(self, login: str) -> "CustomUser | None":
        """The account with this email (whatever the case) or this username."""
        if "@" in login:
            return self.with_email(login).first()
        return self.filter(username=self.model.normalize_username(login)).first()

    def with_email(self, email: str) -> "models.QuerySet[CustomUser]":
        # Not iexact, which is UPPER on PostgreSQL and would pass the constraint's index by.
        return self.alias(lower=Lower("email")).filter(lower=Lower(models.Value(email)))


class CustomUser(AbstractUser):
    """Somebody who orders. Signs in with the username or the email."""

    username = models.CharField(
        max_length=150,
        validators=[validate_username],
        help_text="At most 150 characters: letters, digits and . + - _",
    )
    email = models.EmailField("email address")
    phone_number = PhoneNumberField(blank=True)

    _password: str | None  # Django's: kept from set_password() to save()

    objects = CustomUserManager()  # type: ignore[misc]

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["username"],
                name="user_username_unique",
                violation_error_message="A user with that username already exists.",
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message="A user with that email address already exists.",
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A changed password, whichever form or command sets it, revokes the token."""
        # It is None where Django only renews the hash of the same password.
        changed = self._password is not None and not self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if changed:
                Token.objects.filter(user=self).delete()


class AccessToken(TokenProxy):
    """A token as it may be shown: Django REST framework's own is its key in plain text."""

    class Meta:
        proxy = True
        verbose_name = "token"

    @property
    def masked(self) -> str:
        return f"{self.key[:4]}…"

    def __str__(self) -> str:
        return self.masked


class ThrottleCount(Count):
    """Failed sign-ins and new accounts, a row for each address and account."""
