# shellcheck shell=sh
# How a node stands: "drained yes" when coreops drained it and has not undone it, "cordoned REASON" when somebody else
# wants no work on it. Environment: FOLDER, CORDON.
[ ! -e "$FOLDER/drained" ] && [ ! -e "$FOLDER/undraining" ] || echo 'drained yes'
[ ! -e "$CORDON" ] || printf 'cordoned %s\n' "$(head -n 1 "$CORDON" | LC_ALL=C tr '\000-\037\177' ' ')"
