"""The users endpoints in the OpenAPI document. Nothing of it runs when a request is answered."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers

from chassis.openapi import Schema, answers
from users.serializers import NewUserSerializer, SignInSerializer, UserChangesSerializer

NEW_USER = {
    "username": "yahya",
    "email": "mlaouhi.yahya@gmail.com",
    "password": "1234567yahya@",
    "phone_number": "+21658741196",
}
USER = {
    "id": 1,
    "username": "yahya",
    "email": "mlaouhi.yahya@gmail.com",
    "phone_number": "+21658741196",
    "date_joined": "2026-11-24T09:00:00.000000Z",
}
SIGN_IN = {"username": "yahya", "password": "1234567yahya@"}
TOKEN = {"token": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", "user": USER}


class UserBody(OpenApiSerializerExtension):
    """What is sent: read-only fields are ignored there, and so left out."""

    target_class = "users.serializers.NewUserSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        for name in ("id", "date_joined"):
            del schema["properties"][name]
        schema["required"] = [n for n in schema.get("required", []) if n in schema["properties"]]
        if not schema["required"]:
            del schema["required"]
        return schema


class UserAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.EmailField()
    phone_number = serializers.CharField(allow_blank=True, help_text="In E.164, or empty.")
    date_joined = serializers.DateTimeField()


class TokenAnswer(serializers.Serializer):
    token = serializers.CharField(help_text="For the header `Authorization: Token …`.")
    user = UserAnswer()


user_example = OpenApiExample("The user", USER, response_only=True)
token_example = OpenApiExample("The token", TOKEN, response_only=True)
changes_example = OpenApiExample(
    "Another email",
    {"username": "yahya", "email": "yahya@example.com"},
    request_only=True,
)
password_example = OpenApiExample(
    "Another password",
    {"password": "another-yahya-8@", "current_password": NEW_USER["password"]},
    request_only=True,
)

account = extend_schema_view(
    post=extend_schema(
        operation_id="create_user",
        summary="Create an account",
        tags=["account"],
        auth=[],
        request=NewUserSerializer,
        responses=answers({201: UserAnswer}, 429),
        examples=[OpenApiExample("A new user", NEW_USER, request_only=True), user_example],
    ),
    put=extend_schema(
        operation_id="replace_user",
        summary="Change one's own account",
        description="A new `password` needs `current_password` beside it, and revokes the token.",
        tags=["account"],
        request=UserChangesSerializer,
        responses=answers({200: UserAnswer}, 409, 429),
        examples=[changes_example, user_example],
    ),
    patch=extend_schema(
        operation_id="change_user",
        summary="Change some of one's own account",
        description="A new `password` needs `current_password` beside it, and revokes the token.",
        tags=["account"],
        request=UserChangesSerializer,
        responses=answers({200: UserAnswer}, 409, 429),
        examples=[password_example, user_example],
    ),
    delete=extend_schema(
        operation_id="delete_user",
        summary="Close one's own account",
        description="It is deactivated and anonymised, and its token revoked; its orders stay.",
        tags=["account"],
        responses=answers({204: None}),
    ),
)

token = extend_schema_view(
    post=extend_schema(
        operation_id="create_token",
        summary="Sign in",
        description="`username` or `email`, and the password. The token is the present one, where "
        "there is one.",
        tags=["account"],
        auth=[],
        request=SignInSerializer,
        responses=answers({200: TokenAnswer}, 401, 429),
        examples=[OpenApiExample("A user", SIGN_IN, request_only=True), token_example],
    ),
    put=extend_schema(
        operation_id="replace_token",
        summary="Another token in the present one's place",
        tags=["account"],
        request=None,
        responses=answers({200: TokenAnswer}),
        examples=[token_example],
    ),
    patch=extend_schema(
        operation_id="renew_token",
        summary="The same as PUT",
        tags=["account"],
        request=None,
        responses=answers({200: TokenAnswer}),
        examples=[token_example],
    ),
    delete=extend_schema(
        operation_id="delete_token",
        summary="Revoke the token",
        tags=["account"],
        responses=answers({204: None}),
    ),
)

me = extend_schema_view(
    get=extend_schema(
        operation_id="get_me",
        summary="Who the token is of",
        tags=["account"],
        responses=answers({200: UserAnswer}),
        examples=[user_example],
    ),
)
