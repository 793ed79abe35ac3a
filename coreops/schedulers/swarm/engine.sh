# shellcheck shell=sh
# Asks the engine on this node through its socket. Environment: METHOD, PATHS (one a line), BODY (JSON, or nothing; a long one is in $blob1).
# Prints the answers in their order, each followed by a line "= STATUS".
api() {
    if [ -n "$BODY" ]; then
        # By standard input, as it may hold a token: arguments are for everybody to see.
        printf '%s' "$BODY" | call "$1" -H 'Content-Type: application/json' --data-binary @-
    elif [ -n "${blob1-}" ]; then
        call "$1" -H 'Content-Type: application/json' --data-binary "@$blob1"
    else
        call "$1"
    fi
}
call() {
    path=$1
    shift
    curl -sS --max-time 60 --unix-socket "${SOCKET:-/run/docker.sock}" -X "$METHOD" -w '\n= %{http_code}\n' "$@" \
        "http://localhost$path"
}
printf '%s\n' "$PATHS" | {
    while IFS= read -r each; do api "$each" || exit 2; done
}
