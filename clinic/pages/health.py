"""/healthz: is the service able to keep its promise right now?"""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils.module_loading import import_string


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer `{status: ok|degraded|down, …}`, 503 when down; no patient data, no log-in.

    Each entry of settings.HEALTH_PROBES (dotted string of a function without arguments) adds its members and may name
    a `status`; the worst one counts.
    """
    body: dict[str, object] = {}
    worst = 0
    words = ["ok", "degraded", "down"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        for name in settings.HEALTH_PROBES:
            probe = dict(import_string(name)())
            worst = max(worst, words.index(str(probe.pop("status", "ok"))))
            body |= probe
    except DatabaseError:
        worst, body = 2, {"database": "unreachable"}
    return JsonResponse({"status": words[worst], **body}, status=503 if worst == 2 else 200)
