# Gives Nomad its first token: the one in $PKI/token, which goes by standard input and is not printed.
# Goes after api.sh. Environment: as there. Prints the HTTP status, and why when it is not 200.
secret=$(sed -n 's/^X-Nomad-Token: *\([0-9A-Fa-f-]*\)$/\1/p' "$PKI/token")
[ -n "$secret" ] || { echo "there is no token in $PKI/token" >&2; exit 3; }
said=$(METHOD=PUT BODY=$(printf '{"BootstrapSecret": "%s"}' "$secret") request) || exit $?
status=${said##*
}
if [ "$status" = 200 ]; then
    echo 200
else
    printf '%s %s\n' "$status" "$(printf '%s\n' "$said" | tail -n 2 | head -n 1 | head -c 200)"
fi
exit 0
