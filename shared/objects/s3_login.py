"""Whose keys a bucket is used with, in the words of whoever has to mend them. Pure."""

import msgspec

# By the names that botocore gives to the links of its chain (`METHOD` of its credential providers).
_PLACES = {
    "shared-credentials-file": "the keys in the AWS credentials file",
    "config-file": "the keys in the AWS config file",
    "assume-role": "the role that the AWS config file names, and who may assume it",
    "assume-role-with-web-identity": "the role in AWS_ROLE_ARN and the token in AWS_WEB_IDENTITY_TOKEN_FILE",
    "sso": "the SSO session of the AWS config file (aws sso login)",
    "custom-process": "the credential_process of the AWS config file",
    "container-role": "the role of this container",
    "iam-role": "the role of this machine",
}


class Login(msgspec.Struct, frozen=True):
    """How a store came to its keys.

    `variables`: what the names of their variables begin with; `own_variables`: the same for this store alone, whether
    they are set or not. `profile`: of the AWS config files, where the store's URL
    names one. `method`: the link of botocore's chain that had them; "" before they were found.
    """

    variables: str = "AWS"
    own_variables: str = "AWS"
    profile: str | None = None
    method: str = ""

    @property
    def access_key(self) -> str:
        """Name what to check when the store does not know the key."""
        temporary = f"and {self.variables}_SESSION_TOKEN when the keys are temporary"
        return self._place or f"{self.variables}_ACCESS_KEY_ID, {temporary}"

    @property
    def secret(self) -> str:
        """Name what to check when the store knows the key, and not its signature."""
        return self._place or f"{self.variables}_SECRET_ACCESS_KEY"

    @property
    def remedy(self) -> str:
        """Say what to do where no keys were found at all."""
        if self.profile is not None:
            return f"Put some into the profile {self.profile} of the AWS config files."
        pair = f"{self.own_variables}_ACCESS_KEY_ID and {self.own_variables}_SECRET_ACCESS_KEY"
        return f"Set {pair}, or whatever else AWS clients look for: AWS_ variables, a profile, a role."

    @property
    def _place(self) -> str | None:
        place = _PLACES.get(self.method)
        if self.profile is None:
            return place
        return f"the profile {self.profile} of the AWS config files" + (f": {place}" if place else "")
