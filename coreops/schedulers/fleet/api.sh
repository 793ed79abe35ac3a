# shellcheck shell=sh
# One or more requests to fleet's API over its socket. Environment: SOCKET, METHOD, RESOURCES (one a line).
# BODY=yes: stdin is the body, for all of them. After each answer stands its status between two record separators
# (octal 036), which JSON cannot contain. Exit 7: nobody listens.
[ -S "$SOCKET" ] || { echo "there is no socket $SOCKET" >&2; exit 7; }
set -f
IFS='
'
body=''
separator=$(printf '\036')
# shellcheck disable=SC2153
[ "$BODY" != yes ] || { body=$(cat && echo .) || exit 2; body=${body%.}; }
for resource in $RESOURCES; do
    set -- --silent --show-error --globoff --max-time 30 --unix-socket "$SOCKET" --request "$METHOD" \
        --write-out "$separator%{http_code}$separator" "http://fleet/fleet/v1/$resource"
    if [ "$BODY" = yes ]; then
        printf %s "$body" | curl --header 'Content-Type: application/json' --data-binary @- "$@" || exit 7
    else
        curl "$@" || exit 7
    fi
done
