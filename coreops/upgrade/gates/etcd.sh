# shellcheck shell=sh
# store_says: asks the store, and says "KEY ANSWER" a line. The gateway's answers count only when each of the members in
# the list was asked for itself: who else is one, only etcdctl finds out.
store_says() {
    # shellcheck disable=SC2154 # set by whoever sends this
    if store_said=$(by_gateway) && [ "$(members_of "$store_said")" = "$wanted" ]; then
        printf '%s\n' "$store_said"
    else
        by_etcdctl
    fi
}

# members_of ANSWERS: how many members the list in it has.
members_of() {
    list=${1#*members } found=0
    list=${list%%
*}
    while :; do
        case $list in *'"ID":'*) list=${list#*'"ID":'} found=$((found + 1)) ;; *) break ;; esac
    done
    echo "$found"
}
