# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': False, 'cwd': '/', 'blobs': 0} env [] reconnect None
act_t() (
set -eu
limit=300
delay=0
pause=1
what='::1:22 is not there and says SSH after 300 s'
pattern=SSH
port=22
host=::1
connect=5
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
match() { LC_ALL=C grep -q -E -e "$pattern"; }
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
there() { { banner | match; }; }
[ "$delay" = 0 ] || sleep "$delay"
end=$(($(date +%s) + limit))
while :; do
  if there; then exit 0; fi
  [ "$(date +%s)" -lt "$end" ] || fail "$what"
  sleep "$pause"
done
)
