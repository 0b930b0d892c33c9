#!/bin/sh
# Answers the certificate requests in REQUESTS, one behind the other, from the domain that
# start-domain.sh made in FOLDER. Run again, it answers what is open and changes nothing else.
set -eu
usage='usage: issue-fleet.sh FOLDER REQUESTS.csr OUT'
folder=${1:?$usage} requests=${2:?$usage} out=${3:?$usage}
. "$(dirname "$0")/once.sh"

"$tre_pki" issue-fleet "$requests" --domain "$folder/domain" --out "$out"
"$tre_pki" show --domain "$folder/domain"
