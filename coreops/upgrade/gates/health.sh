# Says how a node is, one "key value" a line: state, failed (one per unit), veto (one per file: name, tab, reason),
# drained (when coreops has drained it). Reads only.
# Environment: VETOES, the folder in which workloads say "not now"; DRAINED, the drain's memory.
say() { printf '%s %s\n' "$1" "$2"; }
plain() { LC_ALL=C tr '\000-\037\177' ' '; }

say state "$(systemctl is-system-running 2>/dev/null)"
systemctl list-units --state=failed --full --plain --no-legend --no-pager | while read -r unit rest; do
    say failed "$unit"
done
for file in "$VETOES"/*; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    why=''
    [ ! -f "$file" ] || why=$(head -c 300 "$file" | plain)
    name=$(printf '%s' "${file##*/}" | plain)
    printf 'veto %s\t%s\n' "$name" "$why"
done
[ ! -e "$DRAINED" ] || say drained yes
