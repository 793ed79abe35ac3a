# shellcheck shell=sh
# One or more requests to fleet's API over its socket. Environment: SOCKET, METHOD, RESOURCES (one a line), blob1 (a file
# with the body, for all of them; or not set). After each answer stands its status between two record separators (octal
# 036), which JSON cannot contain. Exit 7: nobody listens.
[ -S "$SOCKET" ] || { echo "there is no socket $SOCKET" >&2; exit 7; }
set -f
IFS='
'
separator=$(printf '\036')
for resource in $RESOURCES; do
    set -- --silent --show-error --globoff --max-time 30 --unix-socket "$SOCKET" --request "$METHOD" \
        --write-out "$separator%{http_code}$separator" "http://fleet/fleet/v1/$resource"
    [ -z "${blob1:-}" ] || set -- --header 'Content-Type: application/json' --data-binary "@$blob1" "$@"
    curl "$@" || exit 7
done
