"""The sh of wait_for: looking at a port with whatever the node has, and looking again until the time is up."""

# match: does stdin hold the pattern?
MATCH = """\
match() { LC_ALL=C grep -q @icase@-E -e "$pattern"; }
"""

# answers: does a TCP connection stand? banner: what the other side says first.
PORT = """\
address=$host
case $host in *:*) address="[$host]" ;; esac
tool=''
for one in curl nc bash ss; do
  if command -v "$one" >/dev/null 2>&1; then
    tool=$one
    break
  fi
done
# shellcheck disable=SC2329 # one of the two is needed
answers() {
  case $tool in
    curl)
      made=$(curl -q -s -o /dev/null --noproxy '*' --connect-timeout "$connect" -m "$connect" -w '%{num_connects}' \\
        "telnet://$address:$port" </dev/null || :)
      case $made in 0 | '') return 1 ;; esac
      ;;
    nc) timeout "$connect" nc -z "$host" "$port" >/dev/null 2>&1 ;;
    bash) timeout "$connect" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null ;;
    ss)
      case $host in
        127.* | ::1 | localhost | 0.0.0.0) ;;
        *) fail "this node has no curl, nc or bash to connect to $host with; ss sees its own ports only" ;;
      esac
      [ -n "$(ss -Hltn "sport = :$port")" ]
      ;;
    *) fail "this node has no curl, nc, bash or ss to look at a port with" ;;
  esac
}
# shellcheck disable=SC2329
banner() {
  case $tool in
    curl) curl -q -s --noproxy '*' -m "$connect" "telnet://$address:$port" </dev/null || : ;;
    nc) timeout "$connect" nc "$host" "$port" </dev/null || : ;;
    bash) timeout "$connect" bash -c 'exec 3<>"/dev/tcp/$0/$1"; cat <&3' "$host" "$port" 2>/dev/null || : ;;
    *) fail "this node has no curl, nc or bash to listen to $host:$port with" ;;
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
