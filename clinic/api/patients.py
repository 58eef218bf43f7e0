"""Find a patient by record number; a POST, so that the number never stands in a URL or a log."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clinic.actions.audit import record_alone
from clinic.api.permissions import caller_of
from clinic.api.schema import described
from clinic.lib.clock import database_now
from clinic.models import Patient
from clinic.vocabulary import Sex

PATIENT = {
    "id": "uuid",
    "mrn": "text",
    "family_name": "text",
    "given_name": "text",
    "birth_date": "day",
    "sex": Sex,
    "phone": "text",
    "email": "text",
    "language": "text",
    "procedures": ["uuid"],
}


class SearchInput(serializers.Serializer[Any]):
    """The record number, exact."""

    mrn = serializers.CharField(max_length=40)


class PatientSearchView(APIView):
    """POST /patients/search/: the site's patient with exactly this record number, and their procedures."""

    @described("Find a patient by record number", takes=SearchInput, gives={"results": [PATIENT]})
    def post(self, request: Request) -> Response:
        """Answer `{results: […]}`, empty where nobody has the number; the look-up is in the audit trail."""
        caller = caller_of(request)
        data = SearchInput(data=request.data)
        data.is_valid(raise_exception=True)
        patient = Patient.objects.filter(site=caller.place, mrn=data.validated_data["mrn"]).first()
        record_alone(
            stream=f"site:{caller.place.public_id}",
            action="patient.searched",
            subject=f"patient:{patient.public_id}" if patient else "patient:none",
            data={"found": patient is not None},
            by=caller.actor(),
            now=database_now(),
        )
        return Response({"results": [patient_body(patient)] if patient else []})


def patient_body(patient: Patient) -> dict[str, Any]:
    """Return a patient with identifiers, for those who act on them."""
    procedures = patient.procedures.order_by("-scheduled_at", "-id").values_list("public_id", flat=True)[:50]
    return {
        "id": str(patient.public_id),
        "mrn": patient.mrn,
        "family_name": patient.family_name,
        "given_name": patient.given_name,
        "birth_date": patient.birth_date.isoformat(),
        "sex": patient.sex,
        "phone": patient.phone,
        "email": patient.email,
        "language": patient.language,
        "procedures": [str(public_id) for public_id in procedures],
    }
