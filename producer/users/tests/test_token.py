from unittest.mock import patch

from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import OperationalError
from rest_framework.authtoken.models import Token

from users import services
from users.models import CustomUser
from users.tests.base import ME, PASSWORD, TOKEN, UsersTestCase, client_of, client_with, make_user


class SignInTests(UsersTestCase):
    def setUp(self):
        self.user = make_user("amel", email="Amel@example.com")

    def sign_in(self, password=PASSWORD, **login):
        return self.client.post(TOKEN, {"password": password, **login})

    def test_username_or_email_and_password_give_the_token_and_the_user(self):
        for login in (
            {"username": "amel"},
            {"email": "Amel@example.com"},
            {"email": "aMEL@EXAMPLE.com"},
            {"username": "amel@example.com"},
            {"email": "amel"},
            {"username": "", "email": "amel@example.com"},
            {"username": "\uff41mel"},
        ):
            with self.subTest(login=login):
                response = self.sign_in(**login)
                self.assertEqual(response.status_code, 200, response.content)
                body = response.json()
                self.assertEqual(set(body), {"token", "user"})
                self.assertEqual(body["user"], client_with(body["token"]).get(ME).json())

    def test_signing_in_again_gives_the_present_token(self):
        first, again = self.sign_in(username="amel"), self.sign_in(email="amel@example.com")
        self.assertEqual(first.json()["token"], again.json()["token"])
        self.assertEqual(Token.objects.count(), 1)

    def test_wrong_credentials_are_refused_alike_for_known_and_unknown_accounts(self):
        make_user("closed", is_active=False)
        unusable = make_user("unusable", password=None)
        self.assertFalse(unusable.has_usable_password())
        answers = [
            self.sign_in("wrong", username="amel"),
            self.sign_in("wrong", email="amel@example.com"),
            self.sign_in("wrong", username="unknown"),
            self.sign_in("wrong", email="unknown@example.com"),
            self.sign_in("wrong", email="no address at all"),
            self.sign_in(PASSWORD, username="Amel"),
            self.sign_in(PASSWORD, username="closed"),
            self.sign_in("wrong", username="unusable"),
        ]
        for answer in answers:
            self.assert_unauthorized(answer)
            self.assertEqual(answer.json(), answers[0].json())
        self.assertFalse(Token.objects.exists())

    def test_an_unknown_account_costs_a_hash_like_a_known_one(self):
        for login in ("amel", "unknown", "unknown@example.com"):
            encode = patch.object(
                MD5PasswordHasher, "encode", autospec=True, side_effect=MD5PasswordHasher.encode
            )
            with self.subTest(login=login), encode as hashed:
                self.assert_unauthorized(self.sign_in("wrong", username=login))
                self.assertEqual(hashed.call_count, 1)

    def test_what_is_missing_is_named(self):
        self.assert_invalid(self.client.post(TOKEN, {}), ("password", "required"))
        self.assert_invalid(self.sign_in(), ("username", "required"))
        self.assert_invalid(self.sign_in("", username="amel"), ("password", "blank"))
        self.assert_invalid(self.sign_in(username="", email=""), ("username", "required"))
        self.assert_invalid(self.sign_in(username={"a": 1}), ("username", "invalid"))
        self.assert_invalid(
            self.sign_in(username="a\u0000"), ("username", "null_characters_not_allowed")
        )

    def test_the_spaces_of_a_password_count(self):
        self.assert_unauthorized(self.sign_in(f" {PASSWORD}", username="amel"))

    def test_a_token_sent_along_does_not_matter(self):
        self.client.credentials(HTTP_AUTHORIZATION="Token wrong")
        self.assertEqual(self.sign_in(username="amel").status_code, 200)

    def test_only_json_is_taken(self):
        response = self.client.post(TOKEN, "a=b", content_type="application/x-www-form-urlencoded")
        self.assert_problem(response, 415)

    def test_a_sign_in_whose_password_changes_meanwhile_gets_no_token(self):
        user = services.sign_in(login="amel", password=PASSWORD, address="192.0.2.1")
        CustomUser.objects.filter(pk=user.pk).update(password="changed")
        with self.assertRaises(services.AuthenticationFailed):
            services.give_token(user=user)

    def test_without_the_database_it_is_503(self):
        self.client.raise_request_exception = False
        with patch("chassis.throttle.count", side_effect=OperationalError("gone")):
            response = self.sign_in(username="amel")
        self.assert_problem(response, 503)
        self.assertIn("Retry-After", response.headers)


class TokenTests(UsersTestCase):
    def setUp(self):
        self.user = make_user()
        self.client = client_of(self.user)
        self.key = self.user.auth_token.key

    def test_put_and_patch_replace_the_token(self):
        for method in ("put", "patch"):
            with self.subTest(method=method):
                response = getattr(self.client, method)(TOKEN, {"user": 7, "token": "mine"})
                self.assertEqual(response.status_code, 200, response.content)
                body = response.json()
                self.assertNotIn(body["token"], (self.key, "mine"))
                self.assertEqual(body["user"]["id"], self.user.pk)
                self.assert_unauthorized(self.client.get(ME))
                self.client = client_with(body["token"])
                self.assertEqual(self.client.get(ME).status_code, 200)
        self.assertEqual(Token.objects.count(), 1)

    def test_a_token_is_replaced_once(self):
        token = Token.objects.get()
        services.replace_token(token=token)
        with self.assertRaises(services.NotAuthenticated):
            services.replace_token(token=token)

    def test_delete_revokes_the_token(self):
        other = client_of(make_user("other"))
        response = self.client.delete(TOKEN)
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assert_unauthorized(self.client.get(ME))
        self.assert_unauthorized(self.client.delete(TOKEN))
        self.assertEqual(other.get(ME).status_code, 200)
        response = self.client.post(TOKEN, {"username": "amel", "password": PASSWORD})
        self.assertNotEqual(response.json()["token"], self.key)

    def test_every_method_but_post_needs_a_valid_token(self):
        for authorization in ("", "Token wrong", "Token a b", "Token \xff", f"Bearer {self.key}"):
            self.client.credentials(HTTP_AUTHORIZATION=authorization)
            for method in ("put", "patch", "delete", "get"):
                with self.subTest(method=method, authorization=authorization):
                    self.assert_unauthorized(getattr(self.client, method)(TOKEN, {}))
        self.assertTrue(Token.objects.filter(key=self.key).exists())

    def test_get_is_not_allowed(self):
        self.assert_problem(self.client.get(TOKEN), 405)
