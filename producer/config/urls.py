from django.contrib import admin
from django.urls import include, path

from chassis import documents, front, health, metrics
from orders.metrics import families

urlpatterns = [
    *front.urlpatterns,
    path("api/v1/users/", include("users.urls")),
    path("api/v1/data/", include("orders.urls")),
    *documents.urlpatterns,
    path("admin/", admin.site.urls),
    *health.urlpatterns,
    metrics.endpoint(families),
]
