"""Publish lists: from a checked definition to an immutable row under its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import rfc8785

from checklists.models import Definition
from clinic.actions.audit import recording
from clinic.lib.problems import Refused
from clinic.models import Actor


def sha256_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the RFC 8785 form of a definition, both languages included."""
    return hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()


class Published(NamedTuple):
    """What became of each list: newly published, already there, or left alone for a version that people approved."""

    new: list[Definition]
    known: list[Definition]
    left: list[Definition]


def publish_definitions(
    *, definitions: Mapping[str, Mapping[str, Any]], by: Actor, now: datetime, over: bool = False
) -> Published:
    """Publish what is new of the repository's files.

    Where a version that two people approved is in force, a file's new version is left out (an update of the software must
    not undo what they decided) unless `over`. Raise Refused `version_published` where a version was published with other content: nothing of the batch is kept.
    """
    new: list[Definition] = []
    known: list[Definition] = []
    left: list[Definition] = []
    approved = {row.name: row for row in Definition.objects.newest() if row.authored_by_id is not None}
    with recording(by=by, now=now) as trail:
        for name, content in definitions.items():
            sha256 = sha256_of(content)
            row = Definition.objects.filter(name=name, version=content["version"]).first()
            if row is not None:
                if row.sha256 != sha256:
                    raise Refused(
                        "version_published",
                        f"{name} {content['version']} was published with other content. Raise its version and publish again.",
                    )
                known.append(row)
                continue
            if name in approved and not over:
                left.append(approved[name])
                continue
            row = Definition.objects.create(
                name=name,
                version=content["version"],
                kind=content["kind"],
                phase=content["phase"],
                code=content.get("code", ""),
                sha256=sha256,
                content=content,
                published_at=now,
            )
            new.append(row)
            trail.add(
                stream=f"definition:{name}",
                action="definition.published",
                subject=f"definition:{row.pk}",
                data={"name": name, "version": row.version, "sha256": sha256},
            )
    return Published(new, known, left)
