"""Pull exports: the list of datasets, the streams, and what was delivered."""

from __future__ import annotations

import time
from typing import Any

from django.http import StreamingHttpResponse
from django.urls import reverse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.access import access_export
from clinic.api.permissions import caller_of
from clinic.api.schema import Maybe, described
from clinic.exports.delivery import deliver
from clinic.exports.manifest import file_name
from clinic.exports.registry import dataset_called, datasets
from clinic.exports.selection import CONTENT_TYPES, Format, select
from clinic.exports.shape import Kind, Takes
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied, Invalid
from clinic.lib.stream import encoder
from clinic.models import Export
from clinic.vocabulary import ExportStatus, Via

#: Seconds for which a password just given counts for identified exports.
CONFIRMED_FOR = 300
ACCEPTS = {"text/csv": Format.CSV, "application/x-ndjson": Format.NDJSON, "application/ndjson": Format.NDJSON}


COLUMN = {"name": "text", "type": Kind, "unit": "text", "source": "text", "identifying": "flag"}
EXPORT = {
    "id": "uuid",
    "dataset": "text",
    "format": Format,
    "status": ExportStatus,
    "identified": "flag",
    "who": "text",
    "started_at": "instant",
    "ended_at": "instant?",
    "rows": "integer?",
    "bytes": "integer?",
    "sha256": "sha256?",
    "as_of": "text",
}
MANIFEST = {
    "manifest": "integer",
    "export": "uuid",
    "dataset": "text",
    "schema_version": "integer",
    "format": Format,
    "file": "text",
    "rows": "integer",
    "bytes": "integer",
    "sha256": "sha256",
    "columns": [COLUMN],
    "as_of": "text",
    "since": "text?",
    "after": "text?",
    "versions": "text",
    "bom": "flag",
    "filters": "object",
    "identified": "flag",
    "pseudonym_key_id": "text",
    "definitions": {"*": "sha256"},
    "site": "text",
    "who": "text",
    "role": "text",
    "via": Via,
    "why": "text",
    "started_at": "instant",
    "finished_at": "instant",
    "audit": {
        "started": Maybe({"stream": "text", "seq": "integer", "hash": "sha256"}),
        "checkpoint": Maybe({"number": "integer", "sha256": "sha256"}),
    },
    "signature": {"algorithm": "text", "key_id": "text", "public_key": "text", "value": "text"},
}
PARAMETERS = {
    "format": "csv or ndjson",
    "fields": "columns, separated by commas",
    "as_of": "repeat an earlier pull: epoch.transaction.sequence",
    "since": "only what changed after that as-of",
    "after": "go on after that row",
    "versions": "all, or last: the newest version of each record",
    "bom": "true puts Excel's mark before the text",
    "reason": "why; needed for identified exports",
}
STREAMS = {(200, "text/csv"): {"type": "string"}, (200, "application/x-ndjson"): {"type": "string"}}


class AsAsked(BaseContentNegotiation):
    """The view itself decides by `format` and `Accept`; refusals are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the first parser."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


class ExportListView(APIView):
    """What can be exported, and what was."""

    @described(
        "List the datasets and the latest exports",
        gives={
            "datasets": [
                {
                    "name": "text",
                    "label": "text",
                    "schema_version": "integer",
                    "columns": [COLUMN],
                    "filters": [{"name": "text", "takes": Takes, "choices": ["text"]}],
                }
            ],
            "exports": [EXPORT],
        },
    )
    def get(self, request: Request) -> Response:
        """Return the datasets with their columns and filters, and the site's fifty latest exports."""
        exports = Export.objects.filter(site=caller_of(request).place).select_related("requested_by")
        return Response(
            {
                "datasets": [
                    {
                        "name": dataset.name,
                        "label": dataset.label,
                        "schema_version": dataset.schema,
                        "columns": [
                            {
                                "name": column.name,
                                "type": column.kind.value,
                                "unit": column.unit,
                                "source": column.source,
                                "identifying": column.identifying,
                            }
                            for column in dataset.all_columns
                        ],
                        "filters": [
                            {"name": one.name, "takes": one.takes.value, "choices": list(one.choices)}
                            for one in dataset.filters
                        ],
                    }
                    for dataset in datasets().values()
                ],
                "exports": [summary(export) for export in exports.order_by("-started_at", "-id")[:50]],
            }
        )


class ExportView(APIView):
    """One dataset as a stream."""

    http_method_names = ["get"]
    content_negotiation_class = AsAsked
    identified = False

    @described("Stream a dataset, pseudonymised", query=PARAMETERS, also=STREAMS)
    def get(self, request: Request, dataset: str) -> StreamingHttpResponse:
        """Stream the rows that the parameters choose; the answer's `Export-Id` names the manifest."""
        caller = caller_of(request)
        asked = {name: request.query_params[name] for name in request.query_params}
        asked.setdefault("format", wanted(request.headers.get("Accept", "")))
        selection = select(dataset_called(dataset), asked, identified=self.identified)
        delivery = deliver(
            selection,
            caller=caller,
            identified=self.identified,
            reason=self.reason(request),
            encoder=(encoding := encoder(request.headers.get("Accept-Encoding", ""))),
            clock=database_now,
        )
        export = delivery.export
        response = StreamingHttpResponse(delivery, content_type=CONTENT_TYPES[selection.format])
        response["Export-Id"] = str(export.public_id)
        response["Export-As-Of"] = f"{export.as_of_epoch}.{export.as_of_xid}.0"
        response["Content-Disposition"] = f'attachment; filename="{file_name(export)}"'
        response["Cache-Control"] = "no-store"
        response["Vary"] = "Accept, Accept-Encoding, Authorization, Cookie"
        manifest = reverse("api-export-manifest", kwargs={"dataset": dataset})
        response["Link"] = f'<{manifest}?export={export.public_id}>; rel="describedby"'
        # A proxy that gathers the answer before passing it on would hold it all in memory.
        response["X-Accel-Buffering"] = "no"
        if encoding.name:
            response["Content-Encoding"] = encoding.name
        return response

    def reason(self, request: Request) -> str:
        """Return why the export is made, where the caller says so."""
        return (request.headers.get("Export-Reason") or request.query_params.get("reason") or "").strip()[:500]


class IdentifiedExportView(ExportView):
    """One dataset with names, record numbers and free text: a right of its own, and a reason."""

    identified = True

    @described("Stream a dataset with names and record numbers", query=PARAMETERS, also=STREAMS)
    def get(self, request: Request, dataset: str) -> StreamingHttpResponse:
        """Stream the rows; the reason is kept in the audit trail."""
        return super().get(request, dataset)

    def reason(self, request: Request) -> str:
        """Return the reason; raise Invalid where there is none that a person could read."""
        caller = caller_of(request)
        if caller.via != Via.TOKEN.value and not confirmed_lately(request):
            raise Denied("step_up_required", "Enter your password again at /accounts/reauthenticate/, then export.")
        reason = super().reason(request)
        if len(reason) < 10:
            raise Invalid.field("reason", "missing", "Say in a sentence why identified data are needed.")
        return reason


class ExportManifestView(APIView):
    """The manifest of a delivered export."""

    @described("Read the manifest of an export", gives=MANIFEST, query={"export": "the Export-Id of the answer"})
    def get(self, request: Request, dataset: str) -> Response:
        """Return the manifest of `?export=<Export-Id>`; raise NotFound until the export is finished."""
        export = access_export(caller_of(request), dataset, request.query_params.get("export", ""))
        return Response(export.manifest, headers={"Cache-Control": "no-store"})


def confirmed_lately(request: Request) -> bool:
    """Return whether this browser's person gave a password or a code within the last minutes."""
    records = request.session.get("account_authentication_methods", [])  # kept by allauth at each log-in and step-up
    return any(time.time() - record.get("at", 0) < CONFIRMED_FOR for record in records)


def wanted(accept: str) -> str:
    """Return the format that an Accept header names first; CSV where it names neither."""
    for part in accept.split(","):
        found = ACCEPTS.get(part.partition(";")[0].strip().lower())
        if found:
            return found.value
    return Format.CSV.value


def summary(export: Export) -> dict[str, Any]:
    """Return an export as the list shows it."""
    return {
        "id": str(export.public_id),
        "dataset": export.dataset,
        "format": export.format,
        "status": export.status,
        "identified": export.identified,
        "who": export.requested_by.username,
        "started_at": export.started_at,
        "ended_at": export.ended_at,
        "rows": export.rows,
        "bytes": export.bytes,
        "sha256": export.sha256 or None,
        "as_of": f"{export.as_of_epoch}.{export.as_of_xid}.0",
    }
