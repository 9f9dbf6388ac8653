"""The errors of callbacks: where they may not go, and what cannot be told again; a part of the tree of errors.py.

InvalidRequest
└── CallbackUrlRefused             the URL itself says so, before anybody is called (422)
RequestError
├── JobNotEnded                    there is nothing to tell yet (409)
└── NoCallback                     nobody is to be told (409)
WaybillError
└── CallbackAddressRefused         what its host leads to says so, at the moment of the call
"""

from shared.errors import InvalidRequest, RequestError, WaybillError


class CallbackUrlRefused(InvalidRequest):
    """A callback's URL is none, or one that callbacks do not go to; the message begins with `callback_url`."""


class JobNotEnded(RequestError):
    """A callback tells how a job ended; this one has not."""

    code = "NOT_ENDED"
    status = 409


class NoCallback(RequestError):
    """The job was created without `callback_url`, or what was told of it is forgotten."""

    code = "NO_CALLBACK"
    status = 409


class CallbackAddressRefused(WaybillError):
    """The host of a callback's URL leads to an address that callbacks do not go to; nothing was sent there.

    Repeating may help: names come to lead elsewhere. The message, which has the address, is for operators: callers
    could ask what the names of the internal network lead to.
    """

    code = "CALLBACK_ADDRESS_REFUSED"
    is_retryable = True
    public_message = "The host of the callback's URL leads to an address that callbacks do not go to."
