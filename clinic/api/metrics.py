"""/metrics: what a monitoring system reads, as Prometheus text or OpenMetrics; closed unless somebody opens it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.http import HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from clinic.api.authentication import SessionAuthentication, TokenAuthentication
from clinic.api.permissions import MatrixPermission

#: A scrape that takes longer is given up: it must never hold up a page.
LONGEST_MS = 5000


class Scraper:
    """The monitoring system of the house, known by METRICS_TOKEN; it is nobody's account and may read nothing else."""


class ScraperAuthentication(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`, compared in constant time; any other token is left to the next one."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Scraper] | None:
        """Return the scraper, None where the secret is not set or another one is sent."""
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        known = settings.METRICS_TOKEN
        if not known or kind.lower() != "bearer":
            return None
        same = hmac.compare_digest(secret.strip().encode(), known.encode())
        return (AnonymousUser(), Scraper()) if same else None

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, so that DRF answers 401 rather than 403."""
        return "Bearer"


class MetricsPermission(MatrixPermission):
    """The scraper, or whoever the authorization matrix lets in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True for the scraper; ask the matrix for everybody else."""
        return isinstance(request.auth, Scraper) or super().has_permission(request, view)


class FromDatabase(Collector):
    """Collects what each floor's source says (dotted strings of settings.METRIC_SOURCES)."""

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of every floor."""
        for name in settings.METRIC_SOURCES:
            yield from import_string(name)()


class MetricsView(APIView):
    """The numbers of this installation, of all its sites together."""

    schema = None
    authentication_classes = (ScraperAuthentication, TokenAuthentication, SessionAuthentication)
    permission_classes = (MetricsPermission,)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001 - DRF's
        """Leave the choice of the format to the exposition; DRF's renderers would refuse a scraper's Accept."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """Answer the metrics in the format that the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_MS}")
            registry = CollectorRegistry(auto_describe=False)
            registry.register(FromDatabase())
            body = encode(registry)
        return HttpResponse(body, content_type=content_type)
