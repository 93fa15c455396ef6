"""The API's document at `/api/schema/`, and Swagger UI, which reads it, at `/api/docs/`."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.settings import spectacular_settings

from chassis.api import endpoint

RENDERERS = {"application/yaml": OpenApiYamlRenderer, "application/json": OpenApiJsonRenderer}


@functools.cache
def document(media_type: str) -> bytes:
    """The document, made once a process: it takes a while, and is the same for everybody."""
    schema = SchemaGenerator().get_schema(public=True)
    rendered: Any = RENDERERS[media_type]().render(schema, renderer_context={})
    return bytes(rendered)


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """YAML, or JSON where the `Accept` header, or `?format=json`, asks for that."""
    wanted = request.get_preferred_type(list(RENDERERS)) or "application/yaml"
    if request.GET.get("format") == "json":
        wanted = "application/json"
    answer = HttpResponse(document(wanted), content_type=wanted)
    answer["Vary"] = "Accept"
    return answer


docs = TemplateView.as_view(
    template_name="chassis/docs.html", extra_context={"title": spectacular_settings.TITLE}
)

urlpatterns = [endpoint("api/schema/", schema, "schema"), endpoint("api/docs/", docs, "docs")]
