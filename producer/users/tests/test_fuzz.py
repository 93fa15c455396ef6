"""No body, however odd, is answered with a server error. Random, but the same at each run."""

from unittest.mock import patch

from rest_framework.test import APIClient

from chassis import throttle
from chassis.fuzzing import FuzzAssertions
from users import services
from users.tests.base import CREATE, PASSWORD, TOKEN, YAHYA, UsersTestCase, make_user


class FuzzTests(FuzzAssertions, UsersTestCase):
    def setUp(self):
        no_limit = 10**9
        self.enterContext(patch.object(services, "NEW_ACCOUNTS", no_limit))
        self.enterContext(patch.object(throttle, "SIGN_INS_OF_AN_ACCOUNT", no_limit))
        self.enterContext(patch.object(throttle, "SIGN_INS_FROM_AN_ADDRESS", no_limit))
        self.user = make_user()
        self.owner = APIClient()
        self.owner.force_authenticate(self.user)  # a changed password revokes a token

    def test_creating_an_account(self):
        self.throw(self.client, "post", CREATE, YAHYA, {201, 400}, share=1 / 3)

    def test_replacing_an_account(self):
        changes = {**YAHYA, "current_password": PASSWORD}
        self.throw(self.owner, "put", CREATE, changes, {200, 400}, share=1 / 3)

    def test_editing_an_account(self):
        changes = {**YAHYA, "current_password": PASSWORD}
        self.throw(self.owner, "patch", CREATE, changes, {200, 400}, share=1 / 3)

    def test_signing_in(self):
        body = {"username": self.user.username, "password": PASSWORD}
        self.throw(self.client, "post", TOKEN, body, {200, 400, 401})
