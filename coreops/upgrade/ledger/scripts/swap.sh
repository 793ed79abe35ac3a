# Puts $VALUE (empty: nothing) under $KEY in the folder $LEDGER, if what stands there has the mark $SEEN (0: nothing).
# $NOTE_KEY, $NOTE: another key, written along. Says "done MARK", "absent", or "stands MARK VALUE".
umask 077
mkdir -p "$LEDGER/${KEY%/*}" "$LEDGER/audit" && cd "$LEDGER" && exec 9>lock || exit 2
flock -w 20 9 || { echo "another controller keeps the ledger of this node locked" >&2; exit 2; }

number() { # the first word of a file, if it is a number
    first=
    [ ! -s "$1" ] || read -r first rest <"$1"
    case $first in '' | *[!0-9]*) first=$2 ;; esac
}
keep() { # durably: the file is old or new, also after a power cut
    printf '%s\n' "$2" >new && sync new && mv -f new "$1"
}

if [ ! -s "$KEY" ]; then
    mark=0
else
    number "$KEY" 1
    mark=$first
fi
if [ "$mark" != "$SEEN" ]; then
    [ "$mark" != 0 ] || { echo absent; exit 0; }
    read -r first rest <"$KEY" || :
    printf 'stands %s %s\n' "$mark" "$rest"
    exit 0
fi

# Marks rise like etcd's revisions, and above every fencing token that this node has seen.
number counter 0
mark=$first
number "$FENCE" 0
[ "$mark" -ge "$first" ] || mark=$first
mark=$((mark + 1))
keep counter "$mark" || exit 2
[ -z "$NOTE_KEY" ] || keep "$NOTE_KEY" "$mark $NOTE" || exit 2
if [ -n "$VALUE" ]; then
    keep "$KEY" "$mark $VALUE" || exit 2
else
    rm -f "$KEY" || exit 2
fi
sync "${KEY%/*}" || exit 2
echo "done $mark"
