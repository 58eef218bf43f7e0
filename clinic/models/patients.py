"""The patient as the hospital knows them."""

import uuid

from django.db import models

from clinic.models.constraints import one_of
from clinic.models.people import Site
from clinic.vocabulary import Sex


class Patient(models.Model):
    """A patient of one site, found by record number."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patients")
    mrn = models.CharField(max_length=40)
    family_name = models.CharField(max_length=100)
    given_name = models.CharField(max_length=100)
    birth_date = models.DateField()
    sex = models.CharField(max_length=10)
    phone = models.CharField(max_length=32, blank=True)
    email = models.EmailField(blank=True)
    language = models.CharField(max_length=5, default="en")
    died_on = models.DateField(null=True, blank=True)
    pseudonym = models.CharField(
        max_length=32, db_index=True, help_text="keyed HMAC of site and record number; see clinic.lib.pseudonyms"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "mrn"], name="patient_mrn_once_per_site"),
            one_of("sex", Sex, "patient_sex_known"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def display_name(self) -> str:
        """FAMILY, Given: the form in which a name is read aloud."""
        return spoken_name(self.family_name, self.given_name, self.language)


def spoken_name(family: str, given: str, language: str) -> str:
    """Return FAMILY, Given, with the capitals of the name's language."""
    if language == "tr" or set(family) & set("ğıİşŞĞ"):
        # Turkish: the capital of i is İ, and of ı it is I.
        family = family.replace("i", "İ").replace("ı", "I")
    return f"{family.upper()}, {given}"
