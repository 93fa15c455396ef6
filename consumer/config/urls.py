from django.contrib import admin
from django.urls import include, path

from chassis import documents, front, health, metrics
from messaging.metrics import families

urlpatterns = [
    *front.urlpatterns,
    path("api/v1/consumer/", include("messaging.urls")),
    *documents.urlpatterns,
    path("admin/", admin.site.urls),
    *health.urlpatterns,
    metrics.endpoint(families),
]
