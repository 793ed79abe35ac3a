# shellcheck shell=sh
# Asks the store: POSTs $BODY, or the file $blob1, to $CALL of the first member of $URLS that answers, with the node's own certificate in $PKI.
# The answer, raw, on stdout. Exit 75: no member answers from here.
body() { if [ -n "$BODY" ]; then printf '%s' "$BODY"; else cat "${blob1:?}"; fi; }
for url in $URLS; do
    answer=$(body | curl -sS --http1.1 --noproxy '*' --connect-timeout 2 -m 10 \
        --cacert "$PKI/ca.crt" --cert "$PKI/client.crt" --key "$PKI/client.key" \
        -H 'Content-Type: application/json' --data-binary @- -w '\n%{http_code}' "$url/v3/$CALL" 2>&1)
    nl='
'
    case ${answer##*"$nl"} in
        200)
            printf '%s' "${answer%"$nl"*}"
            exit 0
            ;;
        000) ;;
        *) said=${answer%"$nl"*} ;;
    esac
done
printf '%s\n' "${said:-no member of the store answers}" | head -c 300 >&2
exit 75
