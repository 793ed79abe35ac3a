# shellcheck shell=sh
# by_gateway: asks what $gateway_asks says, which is curl's configuration, and says "KEY ANSWER" a line. It fails, and
# says nothing, unless everything was answered with 200: somebody else has to ask then.
by_gateway() {
    command -v curl >/dev/null 2>&1 || return 1
    # shellcheck disable=SC2154 # set by whoever sends this
    gateway_said=$(printf '%s\n' "$gateway_asks" | curl -q -K - 2>/dev/null) || return 1
    gateway_told='' gateway_body=''
    while IFS= read -r gateway_line; do
        case $gateway_line in
            @*' 200')
                gateway_line=${gateway_line#@}
                gateway_told="$gateway_told${gateway_line% 200} $gateway_body
"
                gateway_body=''
                ;;
            @*) return 1 ;;
            *) gateway_body=$gateway_body$gateway_line ;;
        esac
    done <<EOF
$gateway_said
EOF
    printf '%s' "$gateway_told"
}
