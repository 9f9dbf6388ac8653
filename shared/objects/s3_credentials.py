"""botocore's chain of credentials (environment, profile, web identity, role), asked as late as a request is signed.

Left alone, botocore asks it once, when a client is made: a token file or a role that is not there yet, or a metadata
service that is slow to come up, would leave the process without keys for the rest of its life, or stop its start.
"""

import asyncio
from typing import Any, Protocol

from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from shared import limits
from shared.errors import SettingsError
from shared.objects.location import S3Options
from shared.objects.s3_login import Login


class Chain(Protocol):
    """What finds credentials: botocore's resolver, or a stand-in of a test."""

    async def load_credentials(self) -> Any:
        """Give the first credentials that are found, or None."""
        ...


class LateCredentials(AioCredentials):
    """Stands where botocore expects its credential resolver, and where it expects credentials.

    `method` names the link of the chain that had them; "" as long as they were not found.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__("", "", method="")
        self._chain = chain
        self._found: Any = None
        self._asking = asyncio.Lock()
        self._not_before = 0.0

    async def load_credentials(self) -> "LateCredentials":
        """Give itself: botocore takes it for the credentials (`CredentialResolver.load_credentials`)."""
        return self

    async def get_frozen_credentials(self) -> Any:  # type: ignore[override]  # as aiobotocore overrides botocore's
        """Give the keys to sign a request with, fresh ones where they are temporary; None when there are none.

        Raises CredentialRetrievalError when whoever gives them refuses to.
        """
        if self._found is None:
            await self._ask()
        if self._found is None:
            return None
        try:
            return await self._found.get_frozen_credentials()
        except ClientError as error:
            said: Any = error.response
            if said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                raise
            # Of the token service, not of the store: its AccessDenied has nothing to do with a bucket.
            code = said.get("Error", {}).get("Code", "no reason given")
            raise CredentialRetrievalError(provider=self.method, error_msg=code) from error
        except (FileNotFoundError, PermissionError) as error:  # of a token file
            raise CredentialRetrievalError(provider=self.method, error_msg=str(error)) from error

    async def _ask(self) -> None:
        now_seconds = asyncio.get_running_loop().time
        async with self._asking:  # the metadata service answers after seconds where there is none: one asks for all
            if self._found is None and now_seconds() >= self._not_before:
                self._found = await self._chain.load_credentials()
                self.method = getattr(self._found, "method", "")
                self._not_before = now_seconds() + limits.CREDENTIALS_EVERY_SECONDS


def late_credentials(session: AioSession, options: S3Options) -> LateCredentials:
    """Put ours before the chain of a session. Raises SettingsError when the AWS config files cannot be used."""
    try:
        late = LateCredentials(session.get_component("credential_provider"))
    except BotoCoreError as error:  # a profile that is in no file, a file that cannot be read
        sentence = f"The AWS config files cannot be used for the bucket {options.bucket}: {error}"
        advice = "Check AWS_PROFILE" if options.profile is None else f"Check profile={options.profile} of its URL"
        raise SettingsError([f"{sentence}. {advice}, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE."]) from error
    session.register_component("credential_provider", late)
    return late


def login_of(options: S3Options, late: LateCredentials) -> Login:
    """Tell how a store came, or is to come, to its keys."""
    if options.access_key_id is not None:
        return Login(variables=options.key_variables, own_variables=options.key_variables)
    return Login(own_variables=options.key_variables, profile=options.profile, method=late.method)
