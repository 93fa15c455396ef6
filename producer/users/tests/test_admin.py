from django.contrib.admin.models import LogEntry
from django.test import TestCase
from rest_framework.authtoken.models import Token

from users.models import CustomUser
from users.tests.base import ME, PASSWORD, at_second, client_of, make_user

LOGIN = "/admin/login/"
USERS = "/admin/users/customuser/"
TOKENS = "/admin/users/accesstoken/"
NEW_PASSWORD = "staple-battery-9"


class LoginTests(TestCase):
    def setUp(self):
        clock = at_second(1_800_000_015)
        clock.start()
        self.addCleanup(clock.stop)
        self.boss = make_user("boss", is_staff=True, is_superuser=True)

    def sign_in(self, login="boss", password=PASSWORD, **extra):
        return self.client.post(LOGIN, {"username": login, "password": password}, **extra)

    def test_staff_sign_in_by_username_or_email(self):
        for login in ("boss", "BOSS@example.com"):
            self.assertEqual(self.sign_in(login).status_code, 302)
            self.assertEqual(self.client.get(USERS).status_code, 200)
            self.client.logout()

    def test_customers_and_closed_accounts_do_not_get_in(self):
        make_user("customer")
        make_user("gone", is_staff=True, is_active=False)
        for login in ("customer", "gone"):
            self.assertContains(self.sign_in(login), "Please enter the correct username")

    def test_failed_sign_ins_are_throttled_with_those_of_the_api(self):
        for login in ("boss", "boss@example.com") * 5:
            self.assertContains(self.sign_in(login, "wrong"), "Please enter the correct username")
        refused = self.sign_in()
        self.assertContains(refused, "Too many failed sign-ins to this account")
        self.assertContains(refused, "45 seconds")
        body = {"username": "boss", "password": PASSWORD}
        response = self.client.post("/api/v1/users/token", body, content_type="application/json")
        self.assertEqual(response.status_code, 429)

    def test_an_address_is_throttled_too(self):
        for number in range(60):
            self.sign_in(f"unknown{number}", "wrong")
        self.assertContains(self.sign_in(), "Too many failed sign-ins from this address")
        self.assertEqual(self.sign_in(REMOTE_ADDR="192.0.2.9").status_code, 302)

    def test_sign_ins_that_succeed_are_not_counted(self):
        for _ in range(12):
            self.assertEqual(self.sign_in().status_code, 302)

    def test_an_empty_form_says_what_is_missing(self):
        self.assertContains(self.sign_in("", ""), "This field is required", count=2)


class UserAdminTests(TestCase):
    def setUp(self):
        self.client.force_login(make_user("boss", is_staff=True, is_superuser=True))
        self.user = make_user("amel", phone_number="+21658741196")

    def page(self, path, **query):
        response = self.client.get(path, query)
        self.assertEqual(response.status_code, 200)
        return response

    def test_accounts_are_found_by_username_and_email(self):
        make_user("zoe", email="zoe@elsewhere.org")
        for query in ("amel", "amel@example"):
            response = self.page(USERS, q=query)
            self.assertContains(response, "+21658741196")
            self.assertNotContains(response, "zoe@elsewhere.org")
        self.assertNotContains(self.page(USERS, is_staff__exact=1), "zoe@elsewhere.org")

    def test_an_account_is_added(self):
        self.page(USERS + "add/")
        body = {"username": "zoe", "email": "zoe@example.com", "phone_number": ""}
        body |= {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        response = self.client.post(USERS + "add/", body)
        self.assertEqual(response.status_code, 302, response.content)
        self.assertTrue(CustomUser.objects.get(username="zoe").check_password(PASSWORD))
        for taken in ({"email": "AMEL@example.com"}, {"email": ""}, {"username": "z@e"}):
            response = self.client.post(
                USERS + "add/", {**body, "username": "z2", "email": "z2@x.org", **taken}
            )
            self.assertEqual(response.status_code, 200)

    def test_an_account_is_changed(self):
        path = f"{USERS}{self.user.pk}/change/"
        self.assertContains(self.page(path), "Personal info")
        body = {
            "username": "amel",
            "email": "a@example.com",
            "phone_number": "+12025550123",
            "is_active": "on",
        }
        self.assertEqual(self.client.post(path, body).status_code, 302)
        self.user.refresh_from_db()
        self.assertEqual(
            (self.user.email, self.user.phone_number), ("a@example.com", "+12025550123")
        )

    def test_a_password_set_here_revokes_the_token(self):
        api = client_of(self.user)
        path = f"{USERS}{self.user.pk}/password/"
        self.page(path)
        body = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
        self.assertEqual(self.client.post(path, body).status_code, 302)
        self.assertEqual(api.get(ME).status_code, 401)

    def test_an_account_is_closed_and_never_deleted(self):
        self.assertEqual(
            self.client.post(f"{USERS}{self.user.pk}/delete/", {"post": "yes"}).status_code, 403
        )
        client_of(self.user)
        body = {"action": "close_accounts", "_selected_action": [self.user.pk]}
        self.assertContains(self.client.post(USERS, body), "Nobody can sign in to them again")
        self.user.refresh_from_db()
        self.assertTrue(self.user.is_active)
        body["sure"] = "yes"
        self.assertContains(self.client.post(USERS, body, follow=True), "1 account closed.")
        self.user.refresh_from_db()
        self.assertFalse(self.user.is_active)
        self.assertNotIn("amel", self.user.email)
        log = LogEntry.objects.get()
        self.assertEqual(log.change_message, "Closed and anonymised.")
        self.assertEqual(log.object_repr, self.user.username)
        self.assertFalse(Token.objects.exists())

    def test_groups_have_their_pages(self):
        self.page("/admin/auth/group/")
        self.page("/admin/auth/group/add/")


class TokenAdminTests(TestCase):
    def setUp(self):
        self.client.force_login(make_user("boss", is_staff=True, is_superuser=True))
        self.user = make_user("amel")
        client_of(self.user)
        self.key = self.user.auth_token.key
        self.path = f"{TOKENS}{self.user.pk}/"

    def test_no_page_shows_a_key(self):
        for path in (
            TOKENS,
            TOKENS + "?q=amel",
            self.path + "change/",
            self.path + "delete/",
            USERS,
            f"{USERS}{self.user.pk}/change/",
            f"{USERS}{self.user.pk}/delete/",
            "/admin/",
        ):
            with self.subTest(path=path):
                self.assertNotIn(self.key, self.client.get(path).content.decode())
        self.assertContains(self.client.get(TOKENS), f"{self.key[:4]}…")
        self.assertContains(self.client.get(self.path + "change/"), f"{self.key[:4]}…")

    def test_tokens_are_found_by_their_user(self):
        client_of(make_user("zoe"))
        response = self.client.get(TOKENS, {"q": "zoe@example"})
        self.assertContains(response, "zoe")
        self.assertNotContains(response, "amel")

    def test_a_token_is_revoked_and_the_log_holds_no_key(self):
        response = self.client.post(self.path + "delete/", {"post": "yes"}, follow=True)
        self.assertNotContains(response, self.key)
        self.assertFalse(Token.objects.filter(user=self.user).exists())
        self.assertNotIn(self.key, str(list(LogEntry.objects.values())))

    def test_tokens_are_neither_added_nor_changed(self):
        self.assertEqual(self.client.get(TOKENS + "add/").status_code, 403)
        self.assertEqual(self.client.post(self.path + "change/", {"user": 1}).status_code, 403)

    def test_the_stock_pages_that_show_keys_are_gone(self):
        self.assertEqual(self.client.get("/admin/authtoken/tokenproxy/").status_code, 404)
