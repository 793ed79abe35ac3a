"""The sh of wait_for: looking at a port with whatever the node has, and looking again until the time is up."""

# match: does stdin hold the pattern?
MATCH = """\
match() { LC_ALL=C grep -q @icase@-E -e "$pattern"; }
"""

# answers: does a TCP connection stand? banner: what the other side says first. bash knows at once; curl only when the
# other side speaks or the time is up; /proc knows the ports of the node alone.
PORT = """\
tool=proc
if command -v bash >/dev/null 2>&1; then
  tool=bash
elif command -v nc >/dev/null 2>&1 && nc -h 2>&1 | grep -q -e ' -z' -e '[[-][a-zA-Z]*z'; then
  tool=nc
elif command -v curl >/dev/null 2>&1; then
  tool=curl
fi
address=$host
case $host in *:*) address="[$host]" ;; esac
telnet() { curl -q -s --noproxy '*' -m "$1" -w "$2" -o "$3" "telnet://$address:$port" </dev/null || :; }
connects() { [ "$(telnet "$1" '%{num_connects}' /dev/null)" = 1 ]; }
# shellcheck disable=SC2329 # one of the two is needed
answers() {
  # shellcheck disable=SC2016 # expanded by bash
  case $tool in
    bash) timeout "$connect" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null ;;
    nc) timeout "$connect" nc -z "$host" "$port" >/dev/null 2>&1 ;;
    curl) connects 1 || connects "$connect" ;;
    *)
      case $host in
        127.* | ::1 | localhost | 0.0.0.0) ;;
        *) fail "this node has no bash, nc -z or curl to connect to $host with; /proc shows its own ports only" ;;
      esac
      hex=$(printf ':%04X' "$port")
      [ -n "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v hex="$hex" '$4 == "0A" && substr($2, length($2) - 4) == hex { print; exit }')" ]
      ;;
  esac
}
# shellcheck disable=SC2329
banner() {
  # shellcheck disable=SC2016 # expanded by bash
  case $tool in
    bash) timeout "$connect" bash -c 'exec 3<>"/dev/tcp/$0/$1"; cat <&3' "$host" "$port" 2>/dev/null || : ;;
    nc) timeout "$connect" nc "$host" "$port" </dev/null 2>/dev/null || : ;;
    curl) telnet "$connect" '' - ;;
    *) fail "this node has no bash, nc or curl to listen to $host:$port with" ;;
  esac
}
"""

# drained: does no connection to this port of the node stand? Column 2 is the own address, 4 the state; 01 to 03 and 08
# are established, being made, and half closed.
DRAINED = """\
hex=$(printf ':%04X' "$port")
drained() {
  set -- /proc/net/tcp
  [ ! -r /proc/net/tcp6 ] || set -- "$@" /proc/net/tcp6
  [ -z "$(awk -v hex="$hex" '$4 ~ /^(01|02|03|08)$/ && substr($2, length($2) - 4) == hex { print; exit }' "$@")" ]
}
"""

LOOP = """\
[ "$delay" = 0 ] || sleep "$delay"
end=$(($(date +%s) + limit))
while :; do
  if there; then exit 0; fi
  [ "$(date +%s)" -lt "$end" ] || fail "$what"
  sleep "$pause"
done
"""
