"""Bodies of the users endpoints."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordError
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import get_error_detail

from users.models import CustomUser, validate_username
from users.phone import PhoneNumberInput


class UsernameField(serializers.CharField):
    """Normalised before it is validated: that may lengthen a name, or bring in a space."""

    def to_internal_value(self, data: Any) -> str:
        return CustomUser.normalize_username(super().to_internal_value(data))


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, **kwargs)


class UserSerializer(serializers.Serializer):
    """A user as the API shows them; `phone_number` is in E.164, or empty."""

    id = serializers.IntegerField(read_only=True)
    username = UsernameField(max_length=150, validators=[validate_username])
    email = serializers.EmailField(max_length=254)
    phone_number = PhoneNumberInput(required=False, allow_blank=True, allow_null=True)
    date_joined = serializers.DateTimeField(read_only=True)

    def validate_email(self, value: str) -> str:
        return CustomUser.objects.normalize_email(value)

    def validate_phone_number(self, value: Any) -> Any:
        return value or ""


class NewUserSerializer(UserSerializer):
    password = PasswordField(max_length=128)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Django's password validators, against the user as they will be."""
        password = attrs.get("password")
        if password is None:
            return attrs
        known = {name: getattr(self.instance, name, "") for name in ("username", "email")}
        given = {name: value for name, value in attrs.items() if name in known}
        try:
            validate_password(password, CustomUser(**{**known, **given}))
        except PasswordError as error:
            raise serializers.ValidationError({"password": get_error_detail(error)}) from error
        return attrs


class UserChangesSerializer(NewUserSerializer):
    """A new password needs the present one beside it."""

    password = PasswordField(max_length=128, required=False)
    current_password = PasswordField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "password" in attrs and "current_password" not in attrs:
            message = "A new password needs the present one."
            raise serializers.ValidationError(
                {"current_password": ErrorDetail(message, code="required")}
            )
        return attrs


class SignInSerializer(serializers.Serializer):
    """The account under either name, and its password; validates to `{login, password}`."""

    username = serializers.CharField(required=False, allow_blank=True)
    email = serializers.CharField(required=False, allow_blank=True)
    password = PasswordField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        login = attrs.get("username") or attrs.get("email")
        if not login:
            message = "A username or an email is needed."
            raise serializers.ValidationError({"username": ErrorDetail(message, code="required")})
        return {"login": login, "password": attrs["password"]}
