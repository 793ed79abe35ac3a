# request: one request to the Nomad agent of this node. Prints headers, body, and a line with the HTTP status.
# A token beside the keys, as a line of a header, is sent along; TOKEN instead of it, where there is no body. Environment: URL METHOD BODY (a long one is in $blob1) PKI LIMIT. Exit: 0 answered (whatever the status), 6 no agent answers, 5 not our TLS.
request() (
    set --
    if [ -n "${BODY-}" ]; then
        set -- --data-binary @- --header 'Content-Type: application/json'
    elif [ -n "${blob1-}" ]; then
        set -- --data-binary "@$blob1" --header 'Content-Type: application/json'
    fi
    if [ -n "${TOKEN-}" ]; then
        set -- "$@" --header @-
    elif [ -s "$PKI/token" ]; then
        set -- "$@" --header "@$PKI/token"
    fi
    printf '%s' "${BODY:-${TOKEN:+X-Nomad-Token: $TOKEN}}" | curl --silent --show-error --globoff --http1.1 --noproxy '*' --dump-header - \
        --max-time "$LIMIT" --connect-timeout 3 --cacert "$PKI/ca.crt" --cert "$PKI/node.crt" --key "$PKI/node.key" \
        --request "$METHOD" "$@" --write-out '\n%{http_code}' -- "$URL"
    rc=$?
    case $rc in
        0) exit 0 ;;
        35 | 51 | 53 | 58 | 60 | 77 | 80 | 83) exit 5 ;;
        126 | 127) exit 3 ;;
        *) exit 6 ;;
    esac
)

# several: the same for every line of PATHS below URL; each answer ends with a record separator, which no JSON holds.
several() {
    printf '%s\n' "$PATHS" | while read -r path; do
        URL="$URL$path" request || exit $?
        printf '\036'
    done
}
