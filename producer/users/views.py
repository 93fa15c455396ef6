"""The users endpoints."""

from collections.abc import Sequence
from typing import Any

from rest_framework.authtoken.models import Token
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.api import validated
from chassis.throttle import address
from users import schema, services
from users.authentication import TokenAuthentication
from users.models import CustomUser
from users.serializers import (
    NewUserSerializer,
    SignInSerializer,
    UserChangesSerializer,
    UserSerializer,
)


class OpenPostView(APIView):
    """POST is for anyone, whatever token comes along; the other methods are the token's owner's."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    def perform_authentication(self, request: Request) -> None:
        if request.method != "POST":
            super().perform_authentication(request)

    def get_permissions(self) -> Sequence[Any]:
        return [] if self.request.method == "POST" else super().get_permissions()


@schema.account
class AccountView(OpenPostView):
    """POST creates an account; PUT, PATCH and DELETE act on the caller's own."""

    def post(self, request: Request) -> Response:
        data = validated(NewUserSerializer, request.data)
        user = services.create_user(address=address(request), **data)
        return Response(UserSerializer(user).data, status=201)

    def put(self, request: Request) -> Response:
        return self._change(request, partial=False)

    def patch(self, request: Request) -> Response:
        return self._change(request, partial=True)

    def delete(self, request: Request) -> Response:
        services.close_account(user=_caller(request))
        return Response(status=204)

    def _change(self, request: Request, *, partial: bool) -> Response:
        serializer = UserChangesSerializer(request.user, data=request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        changes = serializer.validated_data
        user = services.update_user(
            user=_caller(request), address=address(request), changes=changes
        )
        return Response(UserSerializer(user).data)


@schema.token
class TokenView(OpenPostView):
    """POST gives the account's token; PUT and PATCH replace it, DELETE revokes it."""

    def post(self, request: Request) -> Response:
        data = validated(SignInSerializer, request.data)
        user = services.sign_in(address=address(request), **data)
        return _shown(services.give_token(user=user))

    def put(self, request: Request) -> Response:
        return _shown(services.replace_token(token=request.auth))

    def patch(self, request: Request) -> Response:
        return self.put(request)

    def delete(self, request: Request) -> Response:
        services.revoke_token(user=_caller(request))
        return Response(status=204)


@schema.me
class MeView(APIView):
    """GET: the caller."""

    authentication_classes = [TokenAuthentication]

    def get(self, request: Request) -> Response:
        return Response(UserSerializer(request.user).data)


def _caller(request: Request) -> CustomUser:
    user: Any = request.user
    return user


def _shown(token: Token) -> Response:
    user: Any = token.user
    return Response({"token": token.key, "user": UserSerializer(user).data})
