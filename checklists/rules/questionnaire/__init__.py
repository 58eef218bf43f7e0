"""FHIR R4 (4.0.1) `Questionnaire` at the border: a list leaves as one, and any valid one comes in as a draft of a list."""
