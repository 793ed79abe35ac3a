# Tells a discovery server who this machine is, so that it can be adopted; again and again until the server has heard.
# /etc/coreops/hello.url has the address, as curl's configuration, so that it does not stand in the list of processes.
hello_send() {
    if command -v curl >/dev/null 2>&1; then
        printf '%s\n' "$1" | curl -fsS -m 20 -K /etc/coreops/hello.url --data-binary @-
    else
        sed -n 's/^url = "\(.*\)"$/\1/p' /etc/coreops/hello.url | wget -q -T 20 -t 1 -O - -i - --post-data "$1"
    fi
}
hello_tries=0
until hello_send "$(hello_says)"; do
    hello_tries=$((hello_tries + 1))
    [ "$hello_tries" -lt 360 ] || exit 1
    sleep 10
done
