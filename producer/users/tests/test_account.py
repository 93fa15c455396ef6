from django.contrib.admin.models import CHANGE, LogEntry
from django.utils import timezone
from rest_framework.authtoken.models import Token

from users.models import CustomUser
from users.tests.base import CREATE, ME, PASSWORD, TOKEN, UsersTestCase, client_of, make_user

NEW_PASSWORD = "staple-battery-9"


class ChangeTests(UsersTestCase):
    def setUp(self):
        self.user = make_user("amel", phone_number="+21658741196")
        self.other = make_user("other")
        self.client = client_of(self.user)

    def test_put_takes_username_and_email_and_leaves_the_rest(self):
        response = self.client.put(CREATE, {"username": "amel2", "email": "amel2@example.com"})
        self.assertEqual(response.status_code, 200, response.content)
        self.assertEqual(response.json(), self.client.get(ME).json())
        self.user.refresh_from_db()
        self.assertEqual((self.user.username, self.user.email), ("amel2", "amel2@example.com"))
        self.assertEqual(self.user.phone_number, "+21658741196")
        self.assertTrue(self.user.check_password(PASSWORD))

    def test_put_without_username_or_email_is_refused(self):
        response = self.client.put(CREATE, {"phone_number": ""})
        self.assert_invalid(response, ("username", "required"), ("email", "required"))

    def test_patch_changes_only_what_is_given(self):
        response = self.client.patch(CREATE, {"phone_number": "+12025550123"})
        self.assertEqual(response.json()["phone_number"], "+12025550123")
        self.assertEqual(response.json()["username"], "amel")
        self.assertEqual(self.client.patch(CREATE, {}).status_code, 200)
        self.assertEqual(self.client.patch(CREATE, {"phone_number": ""}).json()["phone_number"], "")

    def test_nobody_elses_account_is_touched(self):
        body = {"id": self.other.pk, "username": "amel2", "email": "amel2@example.com"}
        self.client.put(CREATE, body)
        self.client.patch(CREATE, {"id": self.other.pk, "phone_number": ""})
        self.client.delete(CREATE)
        self.other.refresh_from_db()
        self.assertEqual((self.other.username, self.other.is_active), ("other", True))

    def test_another_users_username_or_email_is_refused_and_ones_own_is_not(self):
        response = self.client.put(CREATE, {"username": "other", "email": "OTHER@example.com"})
        self.assert_invalid(response, ("username", "unique"), ("email", "unique"))
        response = self.client.patch(CREATE, {"username": "amel", "email": "AMEL@example.com"})
        self.assertEqual(response.status_code, 200)
        self.user.refresh_from_db()
        self.assertEqual(self.user.email, "AMEL@example.com")

    def test_rights_and_dates_cannot_be_written(self):
        body = {
            "is_staff": True,
            "is_superuser": True,
            "is_active": False,
            "date_joined": "2001-01-01T00:00:00Z",
        }
        self.assertEqual(self.client.patch(CREATE, body).status_code, 200)
        self.user.refresh_from_db()
        self.assertFalse(self.user.is_staff or self.user.is_superuser)
        self.assertTrue(self.user.is_active)
        self.assertGreater(self.user.date_joined.year, 2001)

    def test_a_new_password_needs_the_present_one(self):
        response = self.client.patch(CREATE, {"password": NEW_PASSWORD})
        self.assert_invalid(response, ("current_password", "required"))
        body = {"password": NEW_PASSWORD, "current_password": "guess"}
        self.assert_invalid(self.client.patch(CREATE, body), ("current_password", "wrong_password"))
        self.user.refresh_from_db()
        self.assertTrue(self.user.check_password(PASSWORD))
        self.assertEqual(self.client.get(ME).status_code, 200)

    def test_a_new_password_is_validated_against_the_user_as_they_will_be(self):
        body = {
            "username": "battery.staple",
            "password": "battery.staple9",
            "current_password": PASSWORD,
        }
        self.assert_invalid(self.client.patch(CREATE, body), ("password", "password_too_similar"))
        body = {"password": "amel@example.com", "current_password": PASSWORD}
        self.assert_invalid(self.client.patch(CREATE, body), ("password", "password_too_similar"))

    def test_a_changed_password_revokes_the_token(self):
        body = {"password": NEW_PASSWORD, "current_password": PASSWORD, "phone_number": ""}
        response = self.client.patch(CREATE, body)
        self.assertEqual(response.status_code, 200)
        self.assertNotIn("password", response.json())
        self.assert_unauthorized(self.client.get(ME))
        self.client.credentials()
        self.assert_unauthorized(
            self.client.post(TOKEN, {"username": "amel", "password": PASSWORD})
        )
        response = self.client.post(TOKEN, {"username": "amel", "password": NEW_PASSWORD})
        self.assertEqual(response.status_code, 200)

    def test_a_refused_change_of_password_changes_nothing(self):
        body = {"username": "other", "password": NEW_PASSWORD, "current_password": PASSWORD}
        self.assert_invalid(self.client.patch(CREATE, body), ("username", "unique"))
        self.user.refresh_from_db()
        self.assertTrue(self.user.check_password(PASSWORD))
        self.assertEqual(self.client.get(ME).status_code, 200)

    def test_a_password_changed_by_a_form_or_command_revokes_the_token_too(self):
        self.user.set_password(NEW_PASSWORD)
        self.user.save()
        self.assert_unauthorized(self.client.get(ME))

    def test_other_saves_and_a_renewed_hash_leave_the_token(self):
        self.user.last_login = timezone.now()
        self.user.save()
        with self.settings(
            PASSWORD_HASHERS=[
                "django.contrib.auth.hashers.PBKDF2PasswordHasher",
                "django.contrib.auth.hashers.MD5PasswordHasher",
            ]
        ):
            self.assertTrue(self.user.check_password(PASSWORD))
        self.user.refresh_from_db()
        self.assertTrue(self.user.password.startswith("pbkdf2"))
        self.assertEqual(self.client.get(ME).status_code, 200)

    def test_every_method_but_post_needs_a_valid_token(self):
        for credentials in (
            {},
            {"HTTP_AUTHORIZATION": "Token wrong"},
            {"HTTP_AUTHORIZATION": "Token"},
        ):
            self.client.credentials(**credentials)
            for method in ("put", "patch", "delete"):
                with self.subTest(method=method, credentials=credentials):
                    self.assert_unauthorized(getattr(self.client, method)(CREATE, {}))
        self.user.refresh_from_db()
        self.assertTrue(self.user.is_active)


class MeTests(UsersTestCase):
    def test_me_is_the_caller(self):
        user = make_user(phone_number="+21658741196")
        body = client_of(user).get(ME).json()
        self.assertEqual(body["id"], user.pk)
        self.assertEqual(set(body), {"id", "username", "email", "phone_number", "date_joined"})

    def test_me_needs_a_token_of_an_active_account(self):
        user = make_user()
        client = client_of(user)
        self.assert_unauthorized(self.client.get(ME))
        CustomUser.objects.update(is_active=False)
        self.assert_unauthorized(client.get(ME))

    def test_me_is_read_only(self):
        client = client_of(make_user())
        for method in ("post", "put", "patch", "delete"):
            with self.subTest(method=method):
                self.assert_problem(getattr(client, method)(ME, {}), 405)


class CloseTests(UsersTestCase):
    def setUp(self):
        self.user = make_user(
            "amel", phone_number="+21658741196", first_name="Amel", last_name="B", is_staff=True
        )
        self.client = client_of(self.user)

    def close(self):
        response = self.client.delete(CREATE)
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.user.refresh_from_db()

    def test_delete_deactivates_and_anonymises(self):
        self.close()
        self.assertFalse(self.user.is_active or self.user.is_staff)
        self.assertFalse(self.user.has_usable_password())
        kept = " ".join(str(getattr(self.user, f.name)) for f in CustomUser._meta.concrete_fields)
        for trace in ("amel", "Amel", "example.com", "58741196"):
            self.assertNotIn(trace, kept)

    def test_delete_revokes_the_token_and_ends_signing_in(self):
        self.close()
        self.assertFalse(Token.objects.exists())
        self.assert_unauthorized(self.client.get(ME))
        for login in ("amel", self.user.username, self.user.email):
            response = self.client.post(TOKEN, {"username": login, "password": PASSWORD})
            self.assert_unauthorized(response)

    def test_what_staff_changed_of_it_is_logged_under_its_new_name(self):
        log = {"user_id": self.user.pk, "queryset": [self.user], "action_flag": CHANGE}
        LogEntry.objects.log_actions(**log, change_message="", single_object=True)
        self.close()
        self.assertEqual(LogEntry.objects.get().object_repr, self.user.username)

    def test_the_names_are_free_again(self):
        self.close()
        self.assertNotEqual(make_user("amel", email="AMEL@example.com").pk, self.user.pk)

    def test_several_accounts_can_be_closed(self):
        self.close()
        self.assertEqual(client_of(make_user("b")).delete(CREATE).status_code, 204)
