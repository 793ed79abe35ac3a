# shellcheck shell=sh
# The functions of the "units" drain; one of cordon, drain, left, uncordon is called at the end.
# Environment: PATTERNS (of systemd units, blanks between), FOLDER (what must be remembered), SYSTEM (where drop-ins go),
# PATIENCE in seconds.
#
# $FOLDER/drained    the units to start again, one a line. While it is there, a drop-in beside every workload unit keeps
#                    systemd from starting it, at the next boot as well.
# $FOLDER/undraining the same list while it is being started again.
set -f # patterns are systemd's, not the shell's
memory=$FOLDER/drained
undoing=$FOLDER/undraining
dropin=zz-coreops-drained.conf
nl='
'

# show UNIT...: "unit active-state sub-state job transient" of each, one a line.
show() {
    [ $# -gt 0 ] || return 0
    systemctl show -p Id -p ActiveState -p SubState -p Job -p Transient -p LoadState -- "$@" | {
        unit='' active='' sub='' job=no transient=no load=''
        while IFS= read -r line; do
            value=${line#*=}
            case $line in
                Id=*) unit=$value ;;
                ActiveState=*) active=$value ;;
                SubState=*) sub=$value ;;
                Transient=*) transient=$value ;;
                LoadState=*) load=$value ;;
                Job=0 | Job=) ;;
                Job=*) job=yes ;;
                '')
                    [ -z "$unit" ] || echo "$unit $active $sub $job $transient $load"
                    unit='' active='' sub='' job=no transient=no load=''
                    ;;
            esac
        done
        [ -z "$unit" ] || echo "$unit $active $sub $job $transient $load"
    }
}

# matching: every unit and unit file that a pattern names.
matching() {
    [ -n "$PATTERNS" ] || return 0
    # shellcheck disable=SC2086
    {
        systemctl list-units --all --full --plain --no-legend --no-pager -- $PATTERNS
        systemctl list-unit-files --full --no-legend --no-pager -- $PATTERNS
    } | while read -r unit rest; do echo "$unit"; done | sort -u
}

# named UNITS: without the templates, of which systemd knows instances only.
named() { for unit in $1; do case $unit in *@.*) ;; *) echo "$unit" ;; esac; done; }

# workload: what matches, what would start it again (sockets, timers, paths), and what goes down with it.
workload() {
    found=$(matching)
    new=$found
    while [ -n "$new" ]; do
        ask=$(named "$new")
        new=''
        [ -n "$ask" ] || break
        # shellcheck disable=SC2086
        for unit in $(systemctl show -p TriggeredBy -p RequiredBy -p BoundBy -p ConsistsOf --value -- $ask); do
            case $unit in
                *.service | *.socket | *.timer | *.path) ;;
                *) continue ;;
            esac
            case $nl$found$nl in
                *"$nl$unit$nl"*) ;;
                *) new=$new$unit$nl found=$found$nl$unit ;;
            esac
        done
    done
    printf '%s\n' "$found"
}

# running: those of the workload, and of what is remembered, that have not stopped: "unit state sub-state transient".
running() {
    units=$(named "$({ workload; cat "$memory" 2>/dev/null; } | sort -u)")
    # shellcheck disable=SC2086
    show $units | while read -r unit active sub job transient load; do
        case $active in
            active | activating | reloading | refreshing | deactivating) echo "$unit $active $sub $transient" ;;
        esac
    done
}

uptime_seconds() { read -r up rest </proc/uptime && echo "${up%%.*}"; }
pause() { sleep 0.2 2>/dev/null || sleep 1; }

# remember FILE: keep stdin under this name, whole or not at all, whatever happens.
remember() {
    cat >"$1.new" && sync "$1.new" && mv "$1.new" "$1" && sync "$FOLDER" && return
    echo "cannot write $1" >&2
    exit 2
}

cordon() {
    units=$(workload)
    for unit in $units; do
        case $unit in
            ssh.* | ssh@* | sshd* | systemd-* | dbus* | etcd.* | coreops-*)
                echo "draining this node would stop $unit, which coreops needs: name the workload more narrowly" >&2
                exit 1
                ;;
        esac
    done
    now=$(running | while read -r unit active sub transient; do
        # Nothing can start a transient unit again: it ends here, as it would at the reboot.
        [ "$transient" = yes ] || echo "$unit"
    done)
    { cat "$memory" "$undoing" 2>/dev/null; [ -z "$now" ] || echo "$now"; } | sort -u | remember "$memory" || exit 2
    rm -f "$undoing"
    for unit in $units; do
        [ ! -s "$SYSTEM/$unit.d/$dropin" ] || continue
        # The condition, not a mask: a unit whose file is in /etc cannot be masked.
        mkdir -p "$SYSTEM/$unit.d" &&
            printf '# coreops drained this node; gone with the next uncordon.\n[Unit]\nConditionPathExists=!%s\n' \
                "$memory" >"$SYSTEM/$unit.d/$dropin.new" &&
            sync "$SYSTEM/$unit.d/$dropin.new" &&
            mv "$SYSTEM/$unit.d/$dropin.new" "$SYSTEM/$unit.d/$dropin" || exit 2
    done
    units=$(named "$units")
    # Asked, not remembered: an earlier run may have written the files and ended before it told systemd.
    # shellcheck disable=SC2086
    case $([ -z "$units" ] || systemctl show -p NeedDaemonReload --value -- $units) in
        *yes*) systemctl daemon-reload ;;
    esac
}

drain() {
    end=$(($(uptime_seconds) + PATIENCE))
    while found=$(running) && [ -n "$found" ]; do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            echo "$found" | while read -r unit active sub transient; do
                echo "$unit has not stopped within $PATIENCE s ($active: $sub)" >&2
            done
            exit 1
        fi
        # Asked again each time: what a dependency pulled up in between has to go as well.
        # shellcheck disable=SC2046
        systemctl stop --no-block -- $(echo "$found" | while read -r unit rest; do echo "$unit"; done) || :
        pause
    done
}

left() { running | while read -r unit active sub transient; do echo "$unit ($active: $sub)"; done; }

uncordon() {
    if [ -e "$memory" ]; then
        cat "$memory" "$undoing" 2>/dev/null | sort -u | remember "$undoing" || exit 2
        rm -f "$memory" && sync "$FOLDER" || exit 2
    fi
    changed=''
    set +f
    for file in "$SYSTEM"/*.d/"$dropin"; do
        [ -e "$file" ] || continue
        rm -f "$file" || exit 2
        rmdir "${file%/*}" 2>/dev/null
        changed=yes
    done
    set -f
    [ -z "$changed" ] || systemctl daemon-reload || exit 2
    [ -e "$undoing" ] || return 0
    units=$(cat "$undoing")
    # shellcheck disable=SC2086
    [ -z "$units" ] || systemctl start --no-block -- $units
    end=$(($(uptime_seconds) + PATIENCE))
    while :; do
        moving='' failed=''
        # shellcheck disable=SC2086
        states=$(show $units)
        while read -r unit active sub job transient load; do
            case "$job $active $sub $load" in
                ' '*) ;;
                *' not-found') failed="$failed$unit is no longer there$nl" ;;
                *' activating auto-restart '*) ;; # systemd is at it, as it was before
                'yes '* | *' activating '* | *' deactivating '*)
                    moving="$moving$unit has not started within $PATIENCE s ($active: $sub)$nl"
                    ;;
                *' failed '*) failed="$failed$unit did not start ($sub)$nl" ;;
            esac
        done <<END
$states
END
        [ -n "$moving" ] || break
        [ "$(uptime_seconds)" -lt "$end" ] || break
        pause
    done
    if [ -n "$moving$failed" ]; then
        printf '%s' "$moving$failed" >&2
        exit 1
    fi
    rm -f "$undoing" && sync "$FOLDER"
}
