# Asks a URL from the node. Prints the status code; exit 1: no answer, 3: no curl, 4: the text is not in the answer.
# Environment: CURL (a curl config, which keeps the URL out of the process list), LIMIT in seconds, CONTAINS.
command -v curl >/dev/null 2>&1 || { echo "the node has no curl; ask with 'from: controller'" >&2; exit 3; }
body=$(mktemp) || exit 2
trap 'rm -f "$body"' EXIT
code=$(printf '%s\n' "$CURL" | curl -q -g -sS -K - -m "$LIMIT" -o "$body" -w '%{http_code}') || exit 1
printf '%s\n' "$code"
[ -z "$CONTAINS" ] || LC_ALL=C grep -q -F -e "$CONTAINS" "$body" || exit 4
