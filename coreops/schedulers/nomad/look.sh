# Says what Nomad is on this node: one "key value" per line. Reads only; always exits 0.
# Environment: FOLDER (/etc/nomad.d) DATA (its data folder) OPT (/opt/nomad).
exec 2>/dev/null
say() { printf '%s %s\n' "$1" "$2"; }
version() { # of a release: "Nomad v1.7.7"
    "$OPT/$1/nomad" version | sed -n 's/^Nomad v\([^ ]*\).*/\1/p' | head -n 1
}
unit=$(systemctl show nomad.service -p LoadState -p ActiveState -p SubState -p FragmentPath)
say unit "$(printf '%s' "$unit" | tr '\n' ' ')"
path=$(printf '%s\n' "$unit" | sed -n 's/^FragmentPath=//p')
if [ -n "$path" ] && grep -q '^# Managed by coreops' "$path"; then say ours yes; fi
say current "$(version current)"
say wanted "$(version wanted)"
say release "$(readlink "$OPT/current")"
say chosen "$(readlink "$OPT/wanted")"
[ -d "$DATA/server/raft" ] && say raft yes
[ -e "$FOLDER/first.json" ] && say first yes
for file in "$FOLDER"/*.hcl "$FOLDER"/*.json; do
    case ${file##*/} in
        '*.hcl' | '*.json' | nomad.json | gossip.json | first.json) ;;
        *) [ -e "$file" ] && say foreign "$file" ;;
    esac
done
[ -e "$FOLDER/fingerprint.sh" ] && say fingerprint "$(sh "$FOLDER/fingerprint.sh")"
say started_with "$(cat /run/nomad.fingerprint)"
case $unit in
    *ActiveState=failed* | *SubState=auto-restart*)
        journalctl -u nomad.service -n 40 -o cat --no-pager | grep -Ei 'error|==>' | tail -n 2 | cut -c1-400 | sed 's/^/log /'
        ;;
esac
exit 0
