# request: one request to the Nomad agent of this node. Prints headers, body, and a line with the HTTP status.
# Environment: URL METHOD BODY PKI LIMIT. Exit: 0 answered (whatever the status), 6 no agent answers, 5 not our TLS.
request() (
    set --
    [ -z "${BODY-}" ] || set -- --data-binary @- --header 'Content-Type: application/json'
    printf '%s' "${BODY-}" | curl --silent --show-error --globoff --http1.1 --noproxy '*' --dump-header - \
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
