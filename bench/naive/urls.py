"""A view that does nothing, one create for each tick (bench.naive.ticks), and lists in cursor pages and by OFFSET."""

from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import generics, pagination, serializers

from bench.naive.ticks import TickCreate
from complications.models import Complication

ProcedureVersion: Any = apps.get_model("clinic", "ProcedureVersion")


def nothing(request: HttpRequest) -> HttpResponse:
    """Answer at once: what the web server and Django cost by themselves."""
    return HttpResponse(status=204)


class ByCursor(pagination.CursorPagination):
    """DRF's own cursor pages."""

    page_size = 500
    ordering = "pgh_id"


class VersionSerializer(serializers.ModelSerializer[Any]):
    """A version row with every column that the export has."""

    patient = serializers.CharField(source="patient.pseudonym")
    operator = serializers.CharField(source="operator.public_id")
    room = serializers.CharField(source="room.code", default="")
    site = serializers.CharField(source="site.code")

    class Meta:
        model = ProcedureVersion
        exclude = ["change_epoch", "change_xid"]


class VersionList(generics.ListAPIView[Any]):
    """The rows of an export, page by page, with the related rows fetched in the same query."""

    serializer_class = VersionSerializer
    pagination_class = ByCursor
    queryset = ProcedureVersion.objects.select_related("patient", "operator", "room", "site")


class EntrySerializer(serializers.ModelSerializer[Complication]):
    """An entry of the log."""

    class Meta:
        model = Complication
        fields = ["public_id", "code", "level", "status", "symptomatic", "occurred_at", "clavien", "sir", "cirse"]


class Log(generics.ListAPIView[Complication]):
    """The log by LIMIT and OFFSET, with the count that such a page shows."""

    serializer_class = EntrySerializer
    pagination_class = pagination.LimitOffsetPagination
    queryset = Complication.objects.order_by("-occurred_at", "-id")


urlpatterns = [
    path("nothing/", nothing),
    path("ticks/", TickCreate.as_view()),
    path("log/", Log.as_view()),
    path("versions/", VersionList.as_view()),
]
