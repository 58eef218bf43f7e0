"""Make and revoke API tokens."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from clinic.actions.audit import recording
from clinic.lib.problems import Invalid
from clinic.models import Actor, ApiToken, Site, User
from clinic.vocabulary import Scope

#: The longest life of a token.
MOST_DAYS = 90


def create_token(
    *, user: User, site: Site, scopes: Sequence[str], days: int, name: str, by: Actor, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token of 256 random bits and return it with its secret, which is shown this once and stored as a hash."""
    if unknown := set(scopes) - set(Scope):
        raise Invalid.field(
            "scopes", "unknown_scope", f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(Scope)}."
        )
    if not 1 <= days <= MOST_DAYS:
        raise Invalid.field("days", "out_of_range", f"A token lives 1 to {MOST_DAYS} days.")
    secret = f"bc_{secrets.token_urlsafe(32)}"
    with recording(by=by, now=now) as trail:
        token = ApiToken.objects.create(
            sha256=hashlib.sha256(secret.encode()).hexdigest(),
            user=user,
            site=site,
            name=name,
            scopes=sorted(scopes),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        trail.add(
            stream=f"site:{site.public_id}",
            action="token.created",
            subject=f"token:{token.public_id}",
            data={"for": f"user:{user.public_id}", "scopes": sorted(scopes), "expires_at": token.expires_at},
        )
    return token, secret


def revoke_token(*, token: ApiToken, by: Actor, now: datetime) -> None:
    """End a token at once; a second call changes nothing."""
    with recording(by=by, now=now) as trail:
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            trail.add(
                stream=f"site:{token.site.public_id}",
                action="token.revoked",
                subject=f"token:{token.public_id}",
                data={},
            )
