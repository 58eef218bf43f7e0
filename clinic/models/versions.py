"""Version rows: every change of an exported table adds one, and an export reads nothing else.

`change_epoch` rises at each restore into a fresh cluster, `change_xid` is the writing transaction, and the row's own
id is the sequence. A version is visible to a pull when its epoch is older than the current one or its transaction
lies below `pg_snapshot_xmin(pg_current_snapshot())`: a plain sequence would lose the slower of two writers.
"""

from typing import TYPE_CHECKING, Any

import pghistory
import pghistory.models
import pgtrigger
from django.db import models

if TYPE_CHECKING:
    IntegerColumn = models.Field[int, int]
else:  # Django's fields take type arguments in the stubs only
    IntegerColumn = models.Field


class Xid8Field(IntegerColumn):
    """A 64-bit transaction id (PostgreSQL xid8), written by the database and read as an integer."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001
        return value if value is None or hasattr(value, "resolve_expression") else str(value)


class CurrentEpoch(models.Func):
    """The number of the present life of the database (`clinic_change_epoch()`)."""

    function = "clinic_change_epoch"
    template = "%(function)s()"
    output_field = models.IntegerField()
    arity = 0


class CurrentXid(models.Func):
    """The transaction that is writing."""

    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = Xid8Field()
    arity = 0


class ChangeTriple(pghistory.models.Event):
    """The base of every version table; `pgh_id` is the change sequence."""

    append_only = True

    pgh_id = models.BigAutoField(primary_key=True)
    change_epoch = models.IntegerField(db_default=CurrentEpoch(), editable=False)
    change_xid = Xid8Field(db_default=CurrentXid(), editable=False)

    class Meta:
        abstract = True


def order_index(model_name: str) -> str:
    """Return the name of the index that gives a version table its order."""
    return f"{model_name.lower()}_order"


def versioned(model_name: str, *, exclude: list[str] | None = None, level: pgtrigger.Level = pgtrigger.Row) -> Any:
    """Return the class decorator that gives a model its version table `model_name`.

    `level` tells whether the triggers run for each row or once for a statement of many rows.
    """
    return pghistory.track(
        pghistory.InsertEvent(level=level),
        pghistory.UpdateEvent(level=level),
        model_name=model_name,
        base_model=ChangeTriple,
        exclude=exclude,
        append_only=True,
        context_field=None,  # type: ignore[arg-type]
        # the order of every export, and where an increment begins
        meta={"indexes": [models.Index(fields=["change_epoch", "change_xid", "pgh_id"], name=order_index(model_name))]},
        obj_field=pghistory.ObjForeignKey(related_name="versions"),
    )
