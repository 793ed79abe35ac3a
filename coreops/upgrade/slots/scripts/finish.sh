# shellcheck shell=sh
# shellcheck disable=SC2154 # folder is the header's
# The turn is over: the ticket is gone.
[ ! -e "$folder/ticket" ] || forget "$folder/ticket"
