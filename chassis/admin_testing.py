"""What holds for the admin of either service, as a test each runs on its own models and rows."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import DateTimeField, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from rest_framework_api_key.models import AbstractAPIKey, APIKey

from chassis import keys
from chassis.admin_keys import KeyAdmin
from chassis.admin_lists import ROWS_A_PAGE, LargeTableAdmin
from chassis.dashboard import Dashboard, Figure

PHRASE = "correct horse battery staple"  # the password of users that tests make
MOST_QUERIES = 14  # of any page: session, user, the row, and one or two for each thing beside it


def url_of(model: type[Model] | Model, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


class AdminMixin:
    """A superuser's walk through the admin; `client` is signed in."""

    client: Client
    # Of unittest.TestCase, which this is mixed with.
    assertEqual: Any
    assertIn: Any
    assertFalse: Any
    assertContains: Any
    assertNotContains: Any
    assertNotIn: Any
    assertLessEqual: Any
    assertTrue: Any
    subTest: Any

    def setUp(self) -> None:
        self.staff = get_user_model().objects.create_superuser(
            username="root", email="root@example.com", password=PHRASE
        )
        self.client.force_login(self.staff)

    def page(self, url: str) -> str:
        """A page's HTML."""
        response = self.client.get(url)
        self.assertEqual(response.status_code, 200, url)
        return response.content.decode()

    def list_of(self, model: type[Model], **query: Any) -> list[Any]:
        """The rows that a list shows."""
        response = self.client.get(url_of(model, "changelist"), query)
        self.assertEqual(response.status_code, 200, query)
        return list(response.context["cl"].result_list)

    def first(self, model: type[Model], column: str) -> str:
        """The text of a column in a list's first row."""
        cell = self.page(url_of(model, "changelist")).partition(f'class="field-{column} ')[2]
        return " ".join(strip_tags(cell.partition(">")[2].partition("</td>")[0]).split())

    def act(self, model: type[Model], action: str, chosen: list[Any]) -> str:
        """Run a list's action, and answer its question if it asks one; returns what it said."""
        url, form = url_of(model, "changelist"), {"action": action, ACTION_CHECKBOX_NAME: chosen}
        response = self.client.post(url, form, follow=True)
        if rows := response.context.get("rows_asked_for"):
            form |= {ACTION_CHECKBOX_NAME: [id for id, _ in rows], "sure": "yes"}
            response = self.client.post(url, form, follow=True)
        return self.said(response)

    def press(self, row: Model, action: str) -> str:
        """Confirm the dialog of a button on a row's page; returns what was said."""
        form = {"_form_submitted": "True"}
        return self.said(self.client.post(url_of(row, action, row.pk), form, follow=True))

    def said(self, response: Any) -> str:
        self.assertEqual(response.status_code, 200)
        return " ".join(map(str, response.context["messages"]))

    def queries(self, url: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            self.page(url)
        return len(queries)


class DashboardMixin(AdminMixin):
    """Reads the first page."""

    def dashboard(self) -> Dashboard:
        found: Dashboard = self.client.get("/admin/").context["dashboard"]
        return found

    def figure(self, title: str) -> Figure:
        (found,) = [figure for figure in self.dashboard().figures if figure.title == title]
        return found

    def table(self, number: int) -> list[list[str]]:
        """The cells of the table of this number, as text."""
        rows = self.dashboard().tables[number].rows
        return [[strip_tags(str(cell)).strip() for cell in row.cells] for row in rows]


class EveryAdminTests(AdminMixin):
    """Every registered model's pages, on the rows that `make_rows` makes."""

    secrets: tuple[str, ...] = ()  # besides hashes: what must be on no page

    def make_rows(self) -> None:
        """Make a row of every model, each time other ones."""
        raise NotImplementedError

    def pages(self) -> list[str]:
        """Every list, and the page of every row, save keys, which have none."""
        urls = []
        for model, model_admin in admin.site._registry.items():
            urls.append(url_of(model, "changelist"))
            if not isinstance(model_admin, KeyAdmin):
                urls += [url_of(row, "change", row.pk) for row in model._default_manager.all()[:3]]
        return urls

    def key_admins(self) -> list[type[AbstractAPIKey]]:
        registered = admin.site._registry.items()
        return [model for model, its_admin in registered if isinstance(its_admin, KeyAdmin)]

    def test_every_model_has_rows_and_pages_that_answer(self) -> None:
        self.make_rows()
        for model in admin.site._registry:
            self.assertTrue(model._default_manager.exists(), f"no row of {model}")
        for url in ["/admin/", *self.pages()]:
            with self.subTest(url):
                self.page(url)

    def test_every_list_answers_to_its_search_and_to_each_filter(self) -> None:
        self.make_rows()
        for model in admin.site._registry:
            url = url_of(model, "changelist")
            for term in ("ABCDEF12", "é'\"%_\\", "1" * 300, "http://x"):
                with self.subTest(url, term=term):
                    self.assertEqual(self.client.get(url, {"q": term}).status_code, 200)
            changes = self.client.get(url).context["cl"]
            for choices in changes.filter_specs:
                for choice in choices.choices(changes):
                    with self.subTest(url, choice=choice["query_string"]):
                        self.page(url + choice["query_string"])

    def test_no_list_renders_many_rows_at_once(self) -> None:
        for model, its_admin in admin.site._registry.items():
            with self.subTest(model):
                self.assertEqual(its_admin.list_per_page, ROWS_A_PAGE)

    def test_a_large_list_filters_by_no_time_that_has_no_index(self) -> None:
        for model, its_admin in admin.site._registry.items():
            if isinstance(its_admin, LargeTableAdmin):
                indexes = [index.fields[0] for index in model._meta.indexes if not index.condition]
                for name in its_admin.list_filter:
                    field = isinstance(name, str) and model._meta.get_field(name)
                    if isinstance(field, DateTimeField) and not field.db_index:
                        with self.subTest(model, field=name):
                            self.assertIn(name, indexes)

    def test_no_page_takes_more_queries_when_there_are_more_rows(self) -> None:
        self.make_rows()
        once = {url: self.queries(url) for url in self.pages()}
        for _ in range(2):
            self.make_rows()
        for url, number in once.items():
            with self.subTest(url):
                self.assertLessEqual(self.queries(url), number)
                self.assertLessEqual(number, MOST_QUERIES)

    def test_no_page_shows_a_hash_or_a_secret(self) -> None:
        self.make_rows()
        hashes = [key.hashed_key for model in self.key_admins() for key in model.objects.all()]
        urls = self.pages()
        for url in ["/admin/", *urls]:
            html = self.page(url)
            for secret in [*hashes, *self.secrets]:
                with self.subTest(url, secret=secret[:6]):
                    self.assertNotIn(secret, html)

    def test_a_key_made_here_works_and_is_shown_once(self) -> None:
        self.make_rows()
        for model in self.key_admins():
            with self.subTest(model):
                self.page(url_of(model, "add"))
                form = {"name": "postman", "expiry_date_0": "", "expiry_date_1": ""}
                if model is not APIKey:
                    scope = keys.scoped_model().scope  # type: ignore[attr-defined]
                    form[scope] = getattr(model.objects.first(), scope).pk
                said = self.said(self.client.post(url_of(model, "add"), form, follow=True))
                key = said.partition(": ")[2].partition(". ")[0]
                row = keys.find(model, key)
                self.assertEqual(row and row.name, "postman")
                for url in (url_of(model, "changelist"), "/admin/"):
                    self.assertNotIn(key, self.page(url))
                    self.assertNotIn(row.hashed_key, self.page(url))  # type: ignore[union-attr]

    def test_a_revoked_key_opens_nothing_and_is_found_by_its_filter(self) -> None:
        row, key = APIKey.objects.create_key(name="leaked")
        other, _ = APIKey.objects.create_key(name="fine")
        self.assertEqual(self.act(APIKey, "revoke", [row.prefix]), "1 API key revoked.")
        self.assertEqual(keys.find(APIKey, key), None)
        self.assertEqual(self.list_of(APIKey, state="revoked"), [row])
        self.assertEqual(self.list_of(APIKey, state="usable"), [other])
        said = self.act(APIKey, "revoke", [row.prefix])
        self.assertEqual(said, "1 API key left alone: revoked before.")
        self.assertEqual(LogEntry.objects.filter(change_message="Revoked.").count(), 1)

    def test_revoking_asks_first_and_names_the_keys(self) -> None:
        row, _ = APIKey.objects.create_key(name="leaked")
        form = {"action": "revoke", ACTION_CHECKBOX_NAME: [row.prefix]}
        response = self.client.post(url_of(APIKey, "changelist"), form)
        self.assertContains(response, f"<li>{row.prefix} leaked</li>", html=True)
        chosen = f'<input type="hidden" name="{ACTION_CHECKBOX_NAME}" value="{row.prefix}">'
        self.assertContains(response, chosen, html=True)
        self.assertNotContains(response, row.hashed_key)
        row.refresh_from_db()
        self.assertFalse(row.revoked)

    def test_an_expired_key_is_found_by_its_filter(self) -> None:
        past = timezone.now() - timedelta(seconds=1)
        row, _ = APIKey.objects.create_key(name="old", expiry_date=past)
        APIKey.objects.create_key(name="new", expiry_date=past + timedelta(days=1))
        self.assertEqual(self.list_of(APIKey, state="expired"), [row])

    def test_a_key_can_neither_be_changed_nor_deleted(self) -> None:
        row, _ = APIKey.objects.create_key(name="kept")
        for page in ("change", "delete"):
            response = self.client.post(url_of(row, page, row.pk), {"name": "x", "post": "yes"})
            self.assertEqual(response.status_code, 403, page)
        row.refresh_from_db()
        self.assertEqual(row.name, "kept")
