"""Times each page of one service: `python -m bench.pages`, in its folder and its environment.

In process, so that what is measured is the page and its queries. Prints one line of JSON: for each
page its address, milliseconds, and the slowest of its queries.
"""

import json
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.apps import apps  # noqa: E402  # needs the settings
from django.contrib import admin  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.test import Client, RequestFactory  # noqa: E402
from django.urls import reverse  # noqa: E402

from bench.places import Place, api_of  # noqa: E402
from e2e.environment import ADMIN  # noqa: E402

WARM, TIMES = 2, 5
FINE = (200, 302)


@dataclass
class Page:
    """A page's address, as whom, and the medians of what it took."""

    address: str
    who: str
    ms: float
    cpu_ms: float  # in this process, the database's not counted
    queries_ms: float
    queries: int
    slowest_ms: float
    slowest: str
    status: int


class Queries:
    """What was asked of the database, and how long each took."""

    def __init__(self) -> None:
        self.took: list[tuple[float, str]] = []

    def __call__(self, execute: Any, sql: Any, *args: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, *args)
        finally:
            self.took.append(((time.perf_counter() - start) * 1000, str(sql)))


def measure(client: Client, place: Place) -> Page:
    took, tries = [], []
    for _ in range(WARM + TIMES):
        queries = Queries()
        with connection.execute_wrapper(queries):
            wall, cpu = time.perf_counter(), time.process_time()
            response = client.get(place.url, headers=place.headers)
            took.append((time.perf_counter() - wall, time.process_time() - cpu))
        tries.append(queries.took)
    walls, cpus = zip(*took[WARM:], strict=True)
    slowest_ms, slowest = max(tries[-1], default=(0.0, ""))
    return Page(
        address=place.url,
        who=place.who,
        ms=statistics.median(walls) * 1000,
        cpu_ms=statistics.median(cpus) * 1000,
        queries_ms=statistics.median(sum(ms for ms, _ in took) for took in tries[WARM:]),
        queries=len(tries[-1]),
        slowest_ms=slowest_ms,
        slowest=slowest,
        status=response.status_code,
    )


def middle(model: type[models.Model]) -> Any:
    """A row from the middle of a table, None where it is empty."""
    rows = model._default_manager.order_by("pk")
    first, last = rows.first(), rows.last()
    if first is None or last is None or not isinstance(first.pk, int):
        return first
    return rows.filter(pk__gte=(first.pk + last.pk) // 2).first()


def admin_pages(user: Any) -> Iterator[str]:
    """The dashboard; each list, with each of its filters and searches; a row's own page."""
    yield reverse("admin:index")
    for model, its_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        address = reverse(f"{name}_changelist")
        yield address
        yield f"{address}?p=2"
        row = middle(model)
        if row is None:
            continue
        request = RequestFactory().get(address)
        request.user = user
        changes = its_admin.get_changelist_instance(request)
        for spec in changes.filter_specs:
            for choice in list(spec.choices(changes))[1:]:
                if "query_string" in choice:
                    yield f"{address}{choice['query_string']}"
        for path in its_admin.get_search_fields(request):
            value = model._default_manager.filter(pk=row.pk).values_list(path, flat=True).first()
            yield f"{address}?q={value}"
        yield f"{address}?q=nobody"
        yield reverse(f"{name}_change", args=[row.pk])


def pages() -> Iterable[Page]:
    client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    user: Any = get_user_model()._default_manager.get(username=ADMIN)
    for place in api_of(apps, middle):
        yield measure(client, place)
    client.force_login(user)
    for url in admin_pages(user):
        yield measure(client, Place(url))


def main() -> None:
    print(json.dumps([asdict(page) for page in pages()]))


main()
