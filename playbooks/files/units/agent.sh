#!/bin/sh
# Managed by coreops. Has this node run the units that the store gives it, and no others; coreops-units.service runs it.
#
# It decides nothing: which unit goes where stands in the store, below /coreops/units/ (docs/fleet-units.md):
#   on/HOST/UNIT   what this node is to have: "launched", "loaded" or "launched everywhere" on a line, then the unit file
#   held/UNIT      the host that has it: taken before the unit is started, given back after it has stopped
#   said/HOST      what became of it, under a lease; machine/HOST: the machine-id
# All it writes on the node is below /run: after a boot nothing runs that the store has not been asked for. Files there:
#   want/UNIT   what stands under on/HOST/UNIT     mine/UNIT   the node holds it, or may hold it
#   have/UNIT   the unit file in use; systemd starts the unit only while this file is there     begun/UNIT   it was started
#   done/UNIT   of which version of want/UNIT all is done
# Environment: HOST, BEAT and TTL in seconds, ETC (endpoints, pki/), RUNTIME_DIRECTORY, SYSTEM (systemd's folder in /run).
set -uf
LC_ALL=C
export LC_ALL
etc=${ETC:-/etc/coreops/units}
run=${RUNTIME_DIRECTORY:-/run/coreops-units}
system=${SYSTEM:-/run/systemd/system}
host=${HOST:?} beat=${BEAT:-2} ttl=${TTL:-25}
prefix=/coreops/units
dropin=10-coreops.conf
nl='
'
lease='' good='' answer='' told='' published='' pending=yes remembered='' id='' job=''

tell() { # TEXT: once, until something else is told
    [ "$told" = "$1" ] || printf '%s\n' "$1"
    told=$1
}
b64() { printf '%s' "$1" | base64 | tr -d '\n'; }

# call PATH BODY: sets answer to what a member says. 1: none of them answered; 2: the lease is gone.
call() {
    urls=$good code=000
    while read -r url; do [ "$url" = "$good" ] || urls="$urls $url"; done <"$etc/endpoints"
    for url in $urls; do
        answer=$(printf '%s' "$2" | curl -s --http1.1 --noproxy '*' --connect-timeout 2 -m 5 \
            --cacert "$etc/pki/ca.crt" --cert "$etc/pki/client.crt" --key "$etc/pki/client.key" \
            -H 'Content-Type: application/json' --data-binary @- -w '\n%{http_code}' "$url/v3/$1")
        code=${answer##*"$nl"}
        answer=${answer%"$nl"*}
        case $code:$answer in
            200:*)
                good=$url
                return 0
                ;;
            *'requested lease not found'*) return 2 ;;
        esac
    done
    good=''
    case $code in
        000) tell "no member of the store answers" ;;
        *) tell "the store does not answer as it should (HTTP $code): $answer" ;;
    esac
    return 1
}

forget() {
    lease='' published='' remembered=''
    rm -f "$run/lease"
}

renew() {
    if [ -n "$lease" ]; then
        call lease/keepalive "{\"ID\":\"$lease\"}"
        case $? in
            0) case $answer in *'"TTL":"'[1-9]*) return 0 ;; *) forget ;; esac ;;
            2) forget ;;
            *) return 1 ;;
        esac
    fi
    call lease/grant "{\"TTL\":$ttl}" || return 1
    lease=$(printf '%s' "$answer" | sed -n 's/.*"ID":"\([0-9]*\)".*/\1/p')
    [ -n "$lease" ] || { tell "the store grants no lease: $answer" && return 1; }
    call kv/put "{\"key\":\"$(b64 "$prefix/machine/$host")\",\"value\":\"$(b64 "$machine")\"}" || return 1
    printf '%s\n' "$lease" >"$run/lease.new" && mv -f "$run/lease.new" "$run/lease"
}

# ours NAME: can this be the name of a unit? Nothing else becomes a path.
ours() {
    case $1 in '' | .* | *[!0-9A-Za-z:_.@\\-]*) return 1 ;; esac
}

each() { # FOLDER: the units it has files for
    for file in $(set +f && cd "$1" && printf '%s\n' *); do
        [ -f "$1/$file" ] && printf '%s\n' "$file"
    done
}

# ask: have want/ be what the store says. Decodes only what is new.
ask() {
    call kv/range "{\"key\":\"$from\",\"range_end\":\"$to\"}" || return 1
    pairs >"$run/answer.new"
    cmp -s "$run/answer.new" "$run/answer" && return 0
    rm -rf "$run/want.new" && mkdir "$run/want.new" || return 1
    while read -r key && read -r value; do
        key=$(printf '%s' "$key" | base64 -d)
        name=${key#"$prefix/on/$host/"}
        ours "$name" && printf '%s' "$value" | base64 -d >"$run/want.new/$name"
    done <"$run/answer.new"
    rm -rf "$run/want" && mv "$run/want.new" "$run/want" && mv "$run/answer.new" "$run/answer"
    pending=yes
}

# remember: look again at what this node holds, after a boot and whenever it was away for so long that its lease ran out:
# what it still holds is looked after, and what was given to another node meanwhile is stopped.
remember() {
    [ -z "$remembered" ] || return 0
    call kv/range "{\"key\":\"$(b64 "$prefix/held/")\",\"range_end\":\"$(b64 "$prefix/held0")\"}" || return 1
    mine=$(b64 "$host")
    pairs | while read -r key && read -r value; do
        [ "$value" = "$mine" ] || continue
        key=$(printf '%s' "$key" | base64 -d)
        name=${key#"$prefix/held/"}
        ours "$name" && printf '%s\n' "$name" && : >>"$run/mine/$name"
    done >"$run/held"
    for name in $(each "$run/have"); do
        scope=''
        [ ! -e "$run/want/$name" ] || read -r _ scope <"$run/want/$name"
        [ "$scope" = everywhere ] || grep -Fqx -e "$name" "$run/held" || rm -f "$run/have/$name"
    done
    remembered=yes pending=yes
}

# pairs: of the answer, keys and values in turn, one a line. (Values are never empty.)
pairs() {
    # shellcheck disable=SC2020
    printf '%s\n' "$answer" | tr '{},' '\n\n\n' | sed -n -e 's/^"key":"\(.*\)"$/\1/p' -e 's/^"value":"\(.*\)"$/\1/p'
}

# hold NAME: is the unit this node's alone? Sets holder.
hold() {
    key=$(b64 "$prefix/held/$1")
    body="{\"compare\":[{\"target\":\"CREATE\",\"key\":\"$key\",\"create_revision\":\"0\"}]"
    body="$body,\"success\":[{\"requestPut\":{\"key\":\"$key\",\"value\":\"$(b64 "$host")\"}}]"
    body="$body,\"failure\":[{\"requestRange\":{\"key\":\"$key\"}}]}"
    call kv/txn "$body" || { holder='?' && return 1; }
    holder=$host
    case $answer in *'"succeeded":true'*) return 0 ;; esac
    holder=$(printf '%s' "$answer" | sed -n 's/.*"value":"\([^"]*\)".*/\1/p' | base64 -d)
    [ "$holder" = "$host" ]
}

release() { # NAME: give it back, if it is ours
    key=$(b64 "$prefix/held/$1")
    body="{\"compare\":[{\"target\":\"VALUE\",\"key\":\"$key\",\"value\":\"$(b64 "$host")\"}]"
    call kv/txn "$body,\"success\":[{\"requestDeleteRange\":{\"key\":\"$key\"}}]}"
}

# stopped NAME: asks it to stop; true once it has.
stopped() {
    case $(systemctl show -p ActiveState --value -- "$1") in
        inactive | failed) return 0 ;;
        deactivating) ;;
        *) systemctl stop --no-block -- "$1" ;;
    esac
    pending=yes
    return 1
}

# drop NAME: close the gate, stop it, take its files away, give it back; as far as that goes this time.
drop() {
    pending=yes
    rm -f "$run/have/$1"
    if [ -e "$system/$1" ]; then # else it is not ours to stop
        stopped "$1" || return 0
        case $(cat "$system/$1") in
            *'[Install]'*) systemctl --runtime --quiet disable -- "$1" 2>/dev/null ;;
        esac
        rm -f "$system/$1" "$system/$1.d/$dropin" "$run/begun/$1" "$run/done/$1"
        rmdir "$system/$1.d" 2>/dev/null
        systemctl daemon-reload
        systemctl --quiet reset-failed -- "$1" 2>/dev/null
    fi
    release "$1" && rm -f "$run/mine/$1"
}

waits() { # TEXT
    printf 'unit %s\n' "$1" >>"$run/waits"
    pending=yes
}

# take NAME: have its file here, and its gate open.
take() {
    read -r _ scope <"$run/want/$1"
    sed 1d "$run/want/$1" >"$run/file"
    case $(systemctl show -p FragmentPath --value -- "$1") in
        '' | "$system/$1") ;;
        *) waits "$1 refused this-node-has-a-unit-of-its-own-with-this-name -" && return ;;
    esac
    : >>"$run/mine/$1"
    if [ -e "$system/$1" ]; then stopped "$1" || return 0; fi
    if [ "$scope" != everywhere ] && ! hold "$1"; then
        [ "$holder" = '?' ] || drop "$1" # without an answer it may be ours
        waits "$1 waiting for-$holder -"
        return
    fi
    # The file in have/ comes last: while it is missing, the condition keeps systemd from starting the unit.
    if ! { mkdir -p "$system/$1.d" &&
        printf '# coreops: only while this node holds the unit.\n[Unit]\nConditionPathExists=%s\n' \
            "$run/have/$1" >"$system/$1.d/$dropin" &&
        { printf '# coreops units: %s (docs/fleet-units.md)\n' "$1" && cat "$run/file"; } >"$system/$1" &&
        rm -f "$run/begun/$1" && systemctl daemon-reload && cp "$run/file" "$run/have/$1"; }; then
        pending=yes
        return 0
    fi
    case $(cat "$run/file") in *'[Install]'*) systemctl --runtime --quiet enable -- "$1" 2>/dev/null ;; esac
    opened="$opened $1"
}

# begin NAME: start it, or stop it, as want/ says.
begin() {
    read -r desired _ <"$run/want/$1"
    sum=$(sha256sum <"$run/want/$1")
    if [ "$desired" = launched ]; then
        # Started once; what systemd does with it after that is a matter of its Restart=.
        [ -e "$run/begun/$1" ] || { systemctl start --no-block -- "$1" && : >"$run/begun/$1"; }
    elif [ -e "$run/begun/$1" ]; then
        stopped "$1" || return 0
        rm -f "$run/begun/$1"
    fi
    printf '%.12s\n' "$sum" >"$run/done/$1"
}

# same NAME: is the file in use the one that is wanted?
same() { [ ! -e "$run/have/$1" ] || sed 1d "$run/want/$1" | cmp -s - "$run/have/$1"; }

# apply: one step from what is here to what is wanted.
apply() {
    [ -n "$pending" ] || return 0
    pending=''
    : >"$run/waits"
    for name in $(each "$run/mine"); do
        { [ -e "$run/want/$name" ] && same "$name"; } || drop "$name"
    done
    opened=''
    for name in $(each "$run/want"); do [ -e "$run/have/$name" ] || take "$name"; done
    for name in $opened; do again "$name"; done
    # All gates are open before the first unit starts: units may need each other, in any order.
    for name in $(each "$run/want"); do [ ! -e "$run/have/$name" ] || begin "$name"; done
}

# again NAME: what is bound to it, and was started before its gate was open, did not stay: it is started once more.
again() {
    for other in $(each "$run/begun"); do
        case " $(systemctl show -p BindsTo -p Requires -p Requisite --value -- "$other" | tr '\n' ' ') " in
            *" $1 "*) rm -f "$run/begun/$other" ;;
        esac
    done
}

# states: "unit NAME active sub SUM" of what is here, also while it goes. SUM: of what stands under on/HOST/NAME, once
# that is done.
states() {
    units=$(each "$run/mine")
    [ -n "$units" ] || return 0
    # shellcheck disable=SC2086
    { systemctl show -p Id -p ActiveState -p SubState -p Job -- $units && echo; } | while read -r line; do
        value=${line#*=}
        case $line in
            Id=*) id=$value ;;
            ActiveState=*) active=$value ;;
            SubState=*) sub=$value ;;
            Job=0 | Job=) ;;
            Job=*) job=$value ;;
            '')
                [ -z "$job" ] || [ "$active" != inactive ] || { active=activating && sub=queued; }
                sum=-
                [ ! -r "$run/done/$id" ] || read -r sum <"$run/done/$id"
                [ -z "$id" ] || printf 'unit %s %s %s %s\n' "$id" "$active" "$sub" "$sum"
                id='' job=''
                ;;
        esac
    done
}

# publish: say what became of it, when that has changed.
publish() {
    now="boot $boot$nl$(states && cat "$run/waits")"
    [ "$now" != "$published" ] || return 0
    call kv/put "{\"key\":\"$(b64 "$prefix/said/$host")\",\"value\":\"$(b64 "$now")\",\"lease\":\"$lease\"}"
    case $? in 0) published=$now ;; 2) forget ;; *) return 1 ;; esac
    tell "with the store"
}

command -v curl >/dev/null || { echo "there is no curl on this node" && exit 69; }
read -r machine </etc/machine-id && read -r boot </proc/sys/kernel/random/boot_id || exit 69
[ -z "${MACHINE:-}" ] || machine=$MACHINE
[ -z "${BOOT:-}" ] || boot=$BOOT
umask 022
mkdir -p "$run/want" "$run/have" "$run/mine" "$run/begun" "$run/done" && : >"$run/waits" || exit 1
rm -f "$run/answer"
[ ! -r "$run/lease" ] || read -r lease <"$run/lease"
sha256sum <"$0" >"$run/program"
from=$(b64 "$prefix/on/$host/") to=$(b64 "$prefix/on/${host}0") # "0" follows "/"; what each beat asks for
trap 'exit 0' TERM INT # the units run on: this program only tells systemd of them
while :; do
    # Without the store nothing changes: what runs, runs on; what does not, is not started.
    renew && remember && ask && apply && publish
    sleep "$beat" &
    wait $!
done
