# The gossip key of the servers. The wanted one stands in gossip.json; what is in use, Nomad keeps in its keyring, which
# gossip.json does not change once there is one. The keys themselves never leave the node, nor stand in an argument.
# Goes after api.sh. Environment: as there, FOLDER and OP:
#   list           says "KEYS HAVE NODES": how many keys there are, on how many servers the wanted one is, of how many
#   install, use   the wanted one
#   remove         all others
wanted=$(sed -n 's/.*"encrypt": *"\([A-Za-z0-9+/=]*\)".*/\1/p' "$FOLDER/gossip.json")
[ -n "$wanted" ] || { echo "there is no key in $FOLDER/gossip.json" >&2; exit 3; }

ask() { # VERB [KEY]
    if [ -z "${2-}" ]; then
        said=$(URL="$URL/$1" METHOD=GET BODY='' request) || exit $?
    else
        said=$(URL="$URL/$1" METHOD=PUT BODY=$(printf '{"Key": "%s"}' "$2") request) || exit $?
    fi
    [ "${said##*
}" = 200 ] || { echo "Nomad does not $1 the key: $(printf '%s' "$said" | tail -n 2 | head -c 200)" >&2; exit 4; }
    said=$(printf '%s' "$said" | tr -d ' \r\n')
}
keys() { printf '%s' "$said" | sed -n 's/.*"Keys":{\([^}]*\)}.*/\1/p' | tr ',' '\n' | tr -d '"' | tr ':' ' ' | grep .; }

ask list
case $OP in
    list)
        have=$(keys | while read -r key count; do [ "$key" != "$wanted" ] || echo "$count"; done)
        nodes=$(printf '%s' "$said" | sed -n 's/.*"NumNodes":\([0-9]*\).*/\1/p')
        echo "$(keys | wc -l | tr -d ' ') ${have:-0} ${nodes:-0}"
        ;;
    remove)
        old=$(keys | while read -r key _; do [ "$key" = "$wanted" ] || echo "$key"; done)
        for key in $old; do ask remove "$key"; done
        ;;
    *) ask "$OP" "$wanted" ;;
esac
exit 0
