"""The Lua scripts: one file for each operation, with the text that several operations share put in front.

A file names the shared texts it needs in one line, `-- uses: clock log`; they are never copied.
"""

import hashlib
import re
from importlib import resources
from typing import NamedTuple

_USES = re.compile(r"^-- uses: (.+)$", re.MULTILINE)


class Script(NamedTuple):
    """One operation as Redis gets it; `sha` is what EVALSHA calls it by."""

    name: str
    text: str
    sha: str


def _load(name: str) -> Script:
    folder = resources.files("shared.jobstore") / "scripts"
    shebang, _, body = (folder / f"{name}.lua").read_text().partition("\n")
    uses = _USES.search(body)
    preludes = [(folder / "shared" / f"{part}.lua").read_text() for part in (uses[1].split() if uses else ())]
    text = "\n".join([shebang, *preludes, body])
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


CREATE = _load("create")
CLAIM = _load("claim")
APPEND_PROGRESS = _load("append_progress")
RENEW = _load("renew")
RETRY_LATER = _load("retry_later")
RELEASE = _load("release")
FINISH = _load("finish")
TAKE = _load("take")
SWEEP = _load("sweep")
BACKLOG = _load("backlog")
REDRIVE = _load("redrive")
DISCARD = _load("discard")
CANCEL = _load("cancel")
NEXT_DUE = _load("next_due")
EXPIRE = _load("expire")
LIST_OWNER = _load("list_owner")
REPAIR = _load("repair")
DROP_CONSUMERS = _load("drop_consumers")
PARTITIONS = _load("partitions")
CREATE_GROUP = _load("create_group")
SIGN_OF_LIFE = _load("sign_of_life")
PROCESSORS = _load("processors")
BURY_DAMAGED = _load("bury_damaged")
BURY_FOREIGN = _load("bury_foreign")
LEAVE = _load("leave")
LOOK = _load("look")
COUNT_CREATE = _load("count_create")
HOLD_STREAMS = _load("hold_streams")
DUE_CALLBACKS = _load("due_callbacks")
TAKE_CALLBACK = _load("take_callback")
POSTPONE_CALLBACK = _load("postpone_callback")
SETTLE_CALLBACK = _load("settle_callback")
SET_ASIDE_CALLBACK = _load("set_aside_callback")
REDELIVER = _load("redeliver")
COUNT_CALLBACKS = _load("count_callbacks")

ALL = (
    CREATE,
    CLAIM,
    APPEND_PROGRESS,
    RENEW,
    RETRY_LATER,
    RELEASE,
    FINISH,
    TAKE,
    SWEEP,
    BACKLOG,
    REDRIVE,
    DISCARD,
    CANCEL,
    NEXT_DUE,
    EXPIRE,
    LIST_OWNER,
    REPAIR,
    DROP_CONSUMERS,
    PARTITIONS,
    CREATE_GROUP,
    SIGN_OF_LIFE,
    PROCESSORS,
    BURY_DAMAGED,
    BURY_FOREIGN,
    LEAVE,
    LOOK,
    COUNT_CREATE,
    HOLD_STREAMS,
    DUE_CALLBACKS,
    TAKE_CALLBACK,
    POSTPONE_CALLBACK,
    SETTLE_CALLBACK,
    SET_ASIDE_CALLBACK,
    REDELIVER,
    COUNT_CALLBACKS,
)
