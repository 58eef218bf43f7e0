"""A test client that speaks JSON, as the tablets and the outside programs do."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tests.described import hold_to_description


class ApiClient(Client):
    """Django's client with `send()` for JSON bodies; what it receives is held against the API's own description."""

    def request(self, **request: Any) -> Any:
        """Send, and raise AssertionError where the answer is not as the API describes itself."""
        response = super().request(**request)
        hold_to_description(response, request.get("REQUEST_METHOD", "GET"))
        return response

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send a request with a JSON body to `path` (or to `/api/v1` + it, where it starts with neither)."""
        if not path.startswith("/api/") and path.startswith("/"):
            path = f"/api/v1{path}"
        return self.generic(  # type: ignore[return-value]
            method, path, data=encode(body), content_type="application/json", headers=headers
        )


def encode(body: Any) -> str:
    """Return the JSON text of a body; nothing for None."""
    return "" if body is None else json.dumps(body, default=str)
