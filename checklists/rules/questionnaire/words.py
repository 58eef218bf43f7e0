"""The addresses and codes that lists and questionnaires share."""

from __future__ import annotations

OWN = "urn:vertebral-augmentation"
URL = f"{OWN}:questionnaire:"
#: What FHIR has no field for, as RFC 8785 text: one extension on the questionnaire, one on an item.
LIST, ITEM, SHA256 = f"{OWN}:list", f"{OWN}:item", f"{OWN}:sha256"
OPTION = f"{OWN}:option"

_HL7 = "http://hl7.org/fhir/StructureDefinition"
TRANSLATION = f"{_HL7}/translation"
MIN_VALUE, MAX_VALUE = f"{_HL7}/minValue", f"{_HL7}/maxValue"
MIN_LENGTH = f"{_HL7}/minLength"
MIN_OCCURS, MAX_OCCURS = f"{_HL7}/questionnaire-minOccurs", f"{_HL7}/questionnaire-maxOccurs"
UNIT = f"{_HL7}/questionnaire-unit"
EXCLUSIVE = f"{_HL7}/questionnaire-optionExclusive"
CONTROL = f"{_HL7}/questionnaire-itemControl"
CONTROLS = "http://hl7.org/fhir/questionnaire-item-control"
UCUM = "http://unitsofmeasure.org"
HELP = "#help"
#: Of our units the only one that UCUM reads otherwise (gauge of a needle, not gauss).
NOT_UCUM = frozenset({"G"})

#: Our type → FHIR's.
TYPES = {
    "group": "group",
    "series": "group",
    "boolean": "boolean",
    "choice": "choice",
    "multi_choice": "choice",
    "coded": "choice",
    "integer": "integer",
    "decimal": "decimal",
    "date": "date",
    "datetime": "dateTime",
    "text": "text",
    "scan": "string",
    "user_ref": "string",
}
DERIVED = frozenset({"phase", "order", "stop", "stop_subtree"})
