"""What happens to accounts and tokens. Passwords are hashed outside transactions: it takes long."""

import uuid
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import (
    AuthenticationFailed,
    ErrorDetail,
    NotAuthenticated,
    ValidationError,
)

from chassis import throttle
from chassis.clock import Now
from chassis.problems import Conflict
from users.models import CustomUser, ThrottleCount

NEW_ACCOUNTS = 60  # a minute and address
NOT_RIGHT = "The account or its password is not right."


def create_user(*, address: str, password: str, **values: Any) -> CustomUser:
    """Create an account with `values` of its columns.

    Raises ValidationError where the username or email is taken, and Throttled.
    """
    throttle.count(
        ThrottleCount, throttle.Limit("new accounts from this address", address, NEW_ACCOUNTS)
    )
    user = CustomUser(**values)
    user.set_password(password)
    _save_unique(user)
    return user


def update_user(*, user: CustomUser, address: str, changes: dict[str, Any]) -> CustomUser:
    """Write `changes` of the columns; a `password` needs the right `current_password` beside it.

    Raises ValidationError, Throttled, and NotAuthenticated where the account was closed meanwhile.
    """
    columns = {name: value for name, value in changes.items() if name != "current_password"}
    password = columns.get("password")
    if password is not None:
        _check_password(user=user, password=changes["current_password"], address=address)
        user.set_password(password)
    for name in columns.keys() - {"password"}:
        setattr(user, name, columns[name])
    if columns:
        _save_unique(user, update_fields=list(columns))
    return user


def close_account(*, user: CustomUser) -> None:
    """Deactivate and anonymise an account. Its orders stay: they are the shop's records."""
    name = f"deleted-{uuid.uuid4().hex}"
    with transaction.atomic():
        CustomUser.objects.filter(pk=user.pk).update(
            username=name,
            email=f"{name}@deleted.invalid",  # RFC 2606: nobody's
            phone_number="",
            first_name="",
            last_name="",
            password=make_password(None),
            is_active=False,
            is_staff=False,
            is_superuser=False,
        )
        changed_by_staff = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(CustomUser), object_id=str(user.pk)
        )
        changed_by_staff.update(object_repr=name)
        revoke_token(user=user)


def sign_in(*, login: str, password: str, address: str) -> CustomUser:
    """The account of a username or email.

    Raises AuthenticationFailed, the same whatever is wrong, and Throttled.
    """
    with throttle.sign_in(ThrottleCount, address=address, account=identify_account(login=login)):
        user = authenticate(username=login, password=password)
        if not isinstance(user, CustomUser):
            raise AuthenticationFailed(NOT_RIGHT)
    return user


def identify_account(*, login: str) -> str:
    """What stands for an account, be `login` its username or its email, known or unknown."""
    user = CustomUser.objects.find(login)
    if user is not None:
        return f"id {user.pk}"
    return f"login {login.lower() if '@' in login else CustomUser.normalize_username(login)}"


def give_token(*, user: CustomUser) -> Token:
    """The present token of a user who has just signed in, or a first one.

    Raises AuthenticationFailed where their password changed since: that has revoked their token.
    """
    with transaction.atomic():
        if not _lock(user, password=user.password):
            raise AuthenticationFailed(NOT_RIGHT)
        return Token.objects.get_or_create(user=user)[0]


def replace_token(*, token: Token) -> Token:
    """Put a new key in a token's place, which ends the old one.

    Raises NotAuthenticated where it is no longer the present one.
    """
    key = Token.generate_key()
    if not Token.objects.filter(pk=token.pk).update(key=key, created=Now()):
        raise NotAuthenticated()
    return Token(key=key, user=token.user)


def revoke_token(*, user: CustomUser) -> None:
    Token.objects.filter(user=user).delete()


def _check_password(*, user: CustomUser, password: str, address: str) -> None:
    """Raise ValidationError unless this is the user's present password.

    A wrong guess is a failed sign-in: a stolen token must not let its holder guess without end.
    """
    with throttle.sign_in(ThrottleCount, address=address, account=f"id {user.pk}"):
        if not user.check_password(password):
            error = ErrorDetail("This is not the present password.", code="wrong_password")
            raise ValidationError({"current_password": [error]})


def _lock(user: CustomUser, **state: Any) -> bool:
    """Keep an active account as it is until the transaction ends; False where it is closed, or no
    longer in this `state`.
    """
    rows = CustomUser.objects.select_for_update(no_key=True)  # a new order of theirs need not wait
    return rows.filter(pk=user.pk, is_active=True, **state).first() is not None


def _save_unique(user: CustomUser, **options: Any) -> None:
    """Save; the database alone says what is taken: of two requests at once neither could see it."""
    try:
        with transaction.atomic():
            if user.pk and not _lock(user):
                raise NotAuthenticated()
            user.save(**options)
    except IntegrityError as error:
        holders = {
            "username": CustomUser.objects.filter(username=user.username),
            "email": CustomUser.objects.with_email(user.email),
        }
        errors = {
            name: [ErrorDetail(f"A user with that {name} already exists.", code="unique")]
            for name, rows in holders.items()
            if rows.exclude(pk=user.pk).exists()
        }
        raise (ValidationError(errors) if errors else Conflict("Try again.")) from error
