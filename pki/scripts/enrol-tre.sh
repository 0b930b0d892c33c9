#!/bin/sh
# Enrols the new box at HOST:PORT as TRE-ID into the domain that start-domain.sh made in FOLDER, and
# tells it the time. Run again, it says what is there and tells the time anew.
set -eu
usage='usage: enrol-tre.sh FOLDER TRE-ID HOST:PORT MANIFEST.json EK-ROOTS'
folder=${1:?$usage} id=${2:?$usage} address=${3:?$usage} manifest=${4:?$usage} roots=${5:?$usage}
. "$(dirname "$0")/once.sh"

domain=$folder/domain
once "$folder/operator.pem" issue operator op-1 --domain "$domain" --out "$folder/operator.pem"
once "$manifest.sig" sign-manifest "$manifest" --domain "$domain"
once "$domain/enrolled/$id.json" enrol "$address" --tre-id "$id" --domain "$domain" \
    --deployment "$folder/deployment.json" --manifest "$manifest" --ek-roots "$roots" \
    --operator "$folder/operator.pem"
"$tre_pki" set-time "$address" --tre-id "$id" --domain "$domain"
"$tre_pki" show --domain "$domain"
