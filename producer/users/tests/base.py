"""What the users' tests share."""

from typing import Any
from unittest.mock import patch

from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient, APITestCase

from chassis import throttle
from users.models import CustomUser

CREATE = "/api/v1/users/create"
TOKEN = "/api/v1/users/token"
ME = "/api/v1/users/me"
PASSWORD = "correct-horse-7"
# The example of the specification.
YAHYA = {
    "username": "yahya",
    "email": "mlaouhi.yahya@gmail.com",
    "password": "1234567yahya@",
    "phone_number": "+21658741196",
}


class JsonClient(APIClient):
    default_format = "json"


def make_user(username: str = "amel", **values: Any) -> CustomUser:
    values = {"email": f"{username}@example.com", "password": PASSWORD, **values}
    return CustomUser.objects.create_user(username, **values)


def client_of(user: CustomUser) -> JsonClient:
    token, _ = Token.objects.get_or_create(user=user)
    return client_with(token.key)


def client_with(key: str) -> JsonClient:
    client = JsonClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


def at_second(second: int) -> Any:
    """Stop the database's clock at this second, so that a test stays within one minute."""
    return patch.dict(throttle.CLOCKS, dict.fromkeys(throttle.CLOCKS, str(second)))


class UsersTestCase(APITestCase):
    client_class = JsonClient

    def assert_problem(self, response: Any, status: int) -> None:
        """A problem of RFC 9457 with this status."""
        self.assertEqual(response.status_code, status, response.content)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        body = response.json()
        self.assertEqual(body["status"], status)
        self.assertTrue(body["type"] and body["title"] and body["detail"])

    def assert_unauthorized(self, response: Any) -> None:
        self.assert_problem(response, 401)
        self.assertEqual(response.headers["WWW-Authenticate"], "Token")

    def assert_invalid(self, response: Any, *errors: tuple[str, str]) -> None:
        """400 for exactly these fields, each with its code."""
        self.assert_problem(response, 400)
        found = [(error["field"], error["code"]) for error in response.json()["errors"]]
        self.assertEqual(sorted(found), sorted(errors))
