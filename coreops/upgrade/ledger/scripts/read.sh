# Says what stands in $FOLDER of $LEDGER: one "KEY SECONDS-SINCE-WRITTEN MARK VALUE" a line. Reads only.
now=$(date +%s)
for file in "$LEDGER/$FOLDER"/*; do
    [ -s "$file" ] || continue
    at=$(stat -c %Y "$file") || continue # it has just been taken away
    line=
    read -r line <"$file" || [ -n "$line" ] || continue
    case ${line%% *} in '' | *[!0-9]*) line="1 $line" ;; esac
    printf '%s %s %s\n' "$FOLDER/${file##*/}" $((now - at)) "$line"
done
exit 0
