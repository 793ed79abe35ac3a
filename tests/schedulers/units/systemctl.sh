#!/bin/sh
# systemctl for the tests of the agent: units "run" as files in $FAKE/active; conditions and slow stops are honoured.
set -f
verb='' units='' values='' props=''
while [ $# -gt 0 ]; do
    case $1 in
        --value) values=yes ;;
        -p) props="$props $2" && shift ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$1; else units="$units $1"; fi ;;
    esac
    shift
done
printf '%s%s\n' "$verb" "$units" >>"$FAKE/log"
for unit in $units; do
    case $verb in
        start)
            gate=$(sed -n 's/^ConditionPathExists=//p' "$SYSTEM/$unit.d/"10-coreops.conf 2>/dev/null)
            bound=$(sed -n 's/^BindsTo=//p' "$SYSTEM/$unit" 2>/dev/null)
            [ -z "$bound" ] || [ -e "$FAKE/active/$bound" ] || "$0" start "$bound"
            [ -z "$bound" ] || [ -e "$FAKE/active/$bound" ] || continue
            [ -e "$SYSTEM/$unit" ] && [ -n "$gate" ] && [ -e "$gate" ] && : >"$FAKE/active/$unit"
            [ -e "$SYSTEM/$unit" ] || exit 5
            ;;
        stop) [ -e "$FAKE/stubborn/$unit" ] || rm -f "$FAKE/active/$unit" ;;
        show)
            for prop in $props; do
                value=''
                case $prop in
                    Id) value=$unit ;;
                    BindsTo) value=$(sed -n 's/^BindsTo=//p' "$SYSTEM/$unit" 2>/dev/null) ;;
                    FragmentPath)
                        [ ! -e "$SYSTEM/$unit" ] || value=$SYSTEM/$unit
                        [ ! -e "$FAKE/own/$unit" ] || value=/etc/systemd/system/$unit
                        ;;
                    ActiveState)
                        value=inactive
                        [ ! -e "$FAKE/active/$unit" ] || value=active
                        ;;
                    SubState)
                        value=dead
                        [ ! -e "$FAKE/active/$unit" ] || value=running
                        ;;
                esac
                if [ -n "$values" ]; then printf '%s\n' "$value"; else printf '%s=%s\n' "$prop" "$value"; fi
            done
            [ -n "$values" ] || echo
            ;;
    esac
done
exit 0
