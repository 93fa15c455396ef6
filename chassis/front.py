"""The page at `/`: what this service is, whether it is well, and where to go from here."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe
from drf_spectacular.settings import spectacular_settings

from chassis import health


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """Needs no database: it is there to say that there is none."""
    about, _, _ = spectacular_settings.DESCRIPTION.partition("\n\n")  # the rest is conventions
    context = {
        "title": spectacular_settings.TITLE,
        "about": about.replace("`", ""),
        "health": health.check(),
    }
    response = render(request, "chassis/front.html", context)
    response["Cache-Control"] = "no-store"
    return response


urlpatterns = [path("", front, name="front")]
