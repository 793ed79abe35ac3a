# shellcheck shell=sh
# Has this server, and with it the cluster's data, take the token in token.wanted: what `k3s token rotate` sends, without
# secrets in arguments. Environment: PORT. Nothing to do when it has taken it already.
folder=${ROOT:-}/etc/rancher/k3s
data=${ROOT:-}/var/lib/rancher/k3s/server
run=${ROOT:-}/run/coreops-k3s
secret_of() { sed 's/.*://' "$1" | tr -d '\n'; }
old=$(secret_of "$data/token") || exit 2
new=$(secret_of "$folder/token.wanted") || exit 2
case $old/$new in /* | */)
    echo 'a token is missing on this server' >&2
    exit 2
    ;;
esac
[ "$old" != "$new" ] || exit 0
umask 077
mkdir -p "$run" || exit 2
trap 'rm -f "$run/rotate.header" "$run/rotate.said"' EXIT
printf 'Authorization: Basic %s\n' "$(printf 'server:%s' "$old" | base64 | tr -d '\n')" >"$run/rotate.header" || exit 2
status=$(printf '{"newToken":"%s"}' "$new" | curl -sS --noproxy '*' --max-time 90 --cacert "$data/tls/server-ca.crt" \
    -H "@$run/rotate.header" -H 'Content-Type: application/json' -X PUT --data-binary @- -o "$run/rotate.said" \
    -w '%{http_code}' "https://127.0.0.1:$PORT/v1-k3s/token") || exit 2
if [ "$status" != 200 ]; then
    echo "k3s does not take the new token (HTTP $status): $(tr -d '\n' <"$run/rotate.said" | head -c 200)" >&2
    exit 1
fi
[ "$(secret_of "$data/token")" = "$new" ] || { echo 'k3s has taken the new token, and did not write it' >&2; exit 1; }
