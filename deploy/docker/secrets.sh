#!/bin/sh
# Makes .env and users.acl beside compose.yaml: secrets.sh
#
# .env is made once, and yours from then on. users.acl is what Redis reads: made anew of .env each time, with hashes in
# place of passwords, because the user that Redis runs as must be able to read it, and so anybody here is.
set -eu
cd "$(dirname "$0")"

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
hash_of() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }

[ -e .env ] || (
  umask 077
  cat > .env <<END
REDIS_PASSWORD=$(secret)
REDIS_SUPERUSER_PASSWORD=$(secret)
S3_SECRET_ACCESS_KEY=$(secret)
WAYBILL_TICKET_SECRETS=k1:$(secret)
WAYBILL_CALLBACK_SECRETS=whsec_$(head -c 32 /dev/urandom | base64)
END
)
# shellcheck source=/dev/null
. ./.env

passwords="#$(hash_of "$REDIS_PASSWORD")"
# While the password is rotated: both are taken.
[ -z "${REDIS_OLD_PASSWORD:-}" ] || passwords="$passwords #$(hash_of "$REDIS_OLD_PASSWORD")"
umask 022
# Written over, not replaced: a container that has it mounted would keep the old file.
cat > users.acl <<END
user default off
user superuser on #$(hash_of "$REDIS_SUPERUSER_PASSWORD") ~* &* +@all
$(sed "s/>change-me/$passwords/" ../local/users.acl)
END
