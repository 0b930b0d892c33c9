#!/bin/sh
# Starts a trust domain in FOLDER: keys, deployment file, first revocation list. Run again, it
# changes nothing and says what is there.
set -eu
usage='usage: start-domain.sh FOLDER TRUST-DOMAIN POLICY.json'
folder=${1:?$usage} name=${2:?$usage} policy=${3:?$usage}
. "$(dirname "$0")/once.sh"

mkdir -p "$folder"
domain=$folder/domain
once "$domain" init --domain "$domain" --trust-domain "$name"
"$tre_pki" show --domain "$domain" --trust-domain "$name" >/dev/null
"$tre_pki" deployment --domain "$domain" --policy "$policy" --out "$folder/deployment.json"
once "$folder/revocations.json" \
    revoke --refresh --domain "$domain" --out "$folder/revocations.json"
"$tre_pki" show --domain "$domain"
