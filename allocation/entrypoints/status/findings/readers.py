"""Findings about everything that follows the log, and about the sessions that hold it back."""

from collections.abc import Sequence

from allocation.adapters.postgres.checks.holders import Holder
from allocation.entrypoints.status.findings.finding import Finding, Findings
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import DatabaseStatus, Status
from allocation.entrypoints.status.texts import age, count, events
from readmodel.store.records.heartbeat import SUSPECT
from readmodel.store.status.views import RedisStatus

MAILS = "out_of_stock"
SUBSCRIPTION_LAGS = 30.0
"""Seconds. Usually a subscription handles an event within a second."""


def in_holders(status: Status) -> Findings:
    """Yield the oldest session that holds the fence, and the oldest other one. Sessions that block others go first."""
    if not isinstance(status.database, DatabaseStatus):
        return
    fence = [holder for holder in status.database.holders if holder.fence]
    locks = sorted((one for one in status.database.holders if not one.fence), key=lambda one: not one.blocks)
    if fence:
        effect = "holds the fence: views and announcements wait"
        yield Finding(f"{described(fence)} {effect}", end_of(fence[0]), Runbook.FENCE)
    if locks and locks[0].blocks:
        sessions = "1 session waits" if locks[0].blocks == 1 else f"{locks[0].blocks} sessions wait"
        effect = f"holds a lock, and {sessions} for it"
        yield Finding(f"{described(locks)} {effect}", end_of(locks[0]), Runbook.PRODUCT_LOCKED)
    elif locks:
        yield Finding(f"{described(locks)} holds a product", end_of(locks[0]), Runbook.PRODUCT_LOCKED)


def end_of(holder: Holder) -> str:
    """Say how to end the session. An active one may work for a client, and would then begin again."""
    condition = "End it" if holder.state.startswith("idle") else "If its work is not needed, end it"
    return f"{condition}: SELECT pg_terminate_backend({holder.pid})"


def described(holders: Sequence[Holder]) -> str:
    """Describe the first holder, and count the others."""
    first, others = holders[0], len(holders) - 1
    since = "for more than a second" if first.seconds is None else f"for {age(first.seconds)}"
    more = f" (the first of {others + 1})" if others else ""
    return f"A transaction of process {first.pid}{more}, open {since},"


def in_views(status: Status, stale: float) -> Findings:
    redis = status.redis
    if not isinstance(redis, RedisStatus):
        return
    if redis.absent is not None:
        problem, remedy = f"Queries get a 503: {redis.absent}", "The relay rebuilds the views. Read its log"
    elif redis.warning == SUSPECT:
        problem = "The views are suspect: the database may have lost events that they show"
        remedy = "The relay rebuilds the views. Read its log"
    elif redis.warning is not None or (status.views and status.views.events and status.views.seconds > stale):
        problem, remedy = f"The views lag: {lag_of_views(status)}", "Look at the relay, at the locks and at Redis"
    else:
        return
    yield Finding(problem, remedy, Runbook.VIEWS_LAG)


def lag_of_views(status: Status) -> str:
    confirmed = status.redis.confirmed if isinstance(status.redis, RedisStatus) else None
    proof = "no relay has ever confirmed them" if confirmed is None else f"last confirmed {age(confirmed)} ago"
    return proof if status.views is None or not status.views.events else f"{events(status.views)}, {proof}"


def in_subscriptions(status: Status) -> Findings:
    if not isinstance(status.database, DatabaseStatus):
        return
    for name, found in status.database.subscriptions.items():
        runbook = Runbook.MAIL if name == MAILS else Runbook.SUBSCRIPTION
        lag, error = found.lag, found.error
        if error is not None and error.failing is not None:
            since = "" if error.failing < 1 else f" for {age(error.failing)}"
            remedy = "Start the mail server, or correct SMTP_URL" if name == MAILS else "Read the log of the relay"
            yield Finding(f"The subscription {name} has failed{since}: {error.text.rstrip('.')}", remedy, runbook)
        elif lag is not None and lag.events and lag.seconds > SUBSCRIPTION_LAGS:
            remedy = f"Check the views and the relay, and search its log for {name}"
            yield Finding(f"The subscription {name} lags: {events(lag)}", remedy, runbook)


def in_letters(status: Status) -> Findings:
    """A letter that its process retries by itself is no finding. The subscription then has an error."""
    if not isinstance(status.database, DatabaseStatus):
        return
    for name, letters in status.database.letters.items():
        if letters.dead:
            waits = "letter waits" if letters.waiting == 1 else "letters wait"
            behind = "it" if letters.dead == 1 else "them"
            waiting = f", and {letters.waiting:,} {waits} behind {behind}" if letters.waiting else ""
            yield Finding(
                f"{count(letters.dead, 'dead letter')} of {name} can't be handled{waiting}",
                "Run allocation dead list, correct the cause, and run allocation dead retry",
                Runbook.DEAD_LETTER,
            )
