"""django-unfold's settings: what the admins of both services share."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def unfold(*, title: str, about: str, symbol: str, dashboard: str) -> dict[str, Any]:
    """UNFOLD of one service; `dashboard` names the function that fills its first page."""
    return {
        "SITE_TITLE": title,
        "SITE_HEADER": title,
        "SITE_SUBHEADER": about,
        "SITE_SYMBOL": symbol,
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
        "STYLES": [_style],
        "SCRIPTS": [_script],
        # As text on a dark page unfold's own has a contrast of 4.3, and 4.5 is asked for.
        "COLORS": {"primary": {"500": "oklch(65.5% .25 304.5)"}},
        "DASHBOARD_CALLBACK": dashboard,
    }


# Called for each page: while settings are read, nobody knows where static files are.
def _icon(request: HttpRequest) -> str:
    return static("chassis/icon.svg")


def _style(request: HttpRequest) -> str:
    return static("chassis/admin.css")


def _script(request: HttpRequest) -> str:
    return static("chassis/admin.js")
