# For the journeys beside it: the program, and a step that is taken once.
tre_pki=${TRE_PKI:-tre-pki}

# once FILE COMMAND...: `tre-pki COMMAND...`, which makes FILE whole or not at all; unless it is there.
once() {
    made=$1
    shift
    if [ -e "$made" ]; then echo "there already: $made"; else "$tre_pki" "$@"; fi
}
