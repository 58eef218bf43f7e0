"""Check a person's own credential at the moment it is needed: signing, switching, overriding."""

from datetime import datetime

from django.db.models import F

from clinic.actions.audit import recording
from clinic.lib.problems import Denied
from clinic.models import Actor, User

#: Wrong PINs in a row before only the password is accepted; a full log-in sets it back to zero.
PIN_TRIES = 5


def check_credential(*, user: User, pin: str = "", password: str = "", by: Actor, now: datetime) -> str:
    """Return which credential was right (`pin` or `password`); raise Denied otherwise.

    Call it before the act's own `recording()` opens: tries are counted in a transaction of their own, so that a
    rolled-back act cannot be used to guess for free. A try is counted before it is looked at, by one UPDATE that holds
    the limit itself: however many guess at once, `PIN_TRIES` of them are looked at.
    """
    if password and user.is_active and user.check_password(password):
        User.objects.filter(pk=user.pk).update(pin_failures=0)
        return "password"
    if pin and user.is_active:
        tries = User.objects.filter(pk=user.pk, pin_failures__lt=PIN_TRIES)
        if not tries.update(pin_failures=F("pin_failures") + 1):
            raise Denied("pin_locked", "Too many wrong PINs. Use the password once; that opens the PIN again.")
        if user.check_pin(pin):
            User.objects.filter(pk=user.pk).update(pin_failures=0)
            return "pin"
    with recording(by=by, now=now) as trail:
        trail.add(
            stream=f"user:{user.public_id}",
            action="credential.refused",
            subject=f"user:{user.public_id}",
            data={"kind": "pin" if pin else "password"},
        )
    raise Denied("credential_wrong", "The PIN or password is not right. Nothing was signed; try again.")
