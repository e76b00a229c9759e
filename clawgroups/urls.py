"""Where addresses go."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from clawgroups.admin.site import site as administration
from clawgroups.api.health import healthz, readyz
from clawgroups.api.problems import no_such_address
from clawgroups.api.router import api

handler400 = "clawgroups.web.errors.bad_request"
handler500 = "clawgroups.web.errors.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("admin/", administration.urls),
    path("", include("clawgroups.web.urls")),
    re_path(r"^api(?:/(?P<rest>.*))?$", no_such_address, name="no-such-address"),
]
