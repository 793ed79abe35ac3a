#!/bin/sh
# Managed by coreops. Keeps this node's record in the cluster's store, under a lease: a node that is gone disappears by
# itself. coreops-registration.service runs it.
#
# What it publishes and where it finds the store stands beside it and is read again at every beat: node.json (the
# inventory's part of the record), endpoints (the members' URLs), pki/. Environment: TTL and BEAT in seconds, ETC (that
# folder), RUNTIME_DIRECTORY. There, `lease` is "ID SINCE" while the node is registered; it outlives a crash of this
# program, so that the next one goes on with the same lease.
set -u
LC_ALL=C
export LC_ALL
etc=${ETC:-/etc/coreops/registration}
run=${RUNTIME_DIRECTORY:-/run/coreops-registration}
unit=${UNIT:-/etc/systemd/system/coreops-registration.service}
ttl=${TTL:-25}
beat=${BEAT:-8}
prefix=/coreops/nodes/
nl='
'
lease='' since='' good='' answer='' told='' changed='' mine=''

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

# usr_partition: the folder in sysfs of the partition that holds /usr; device mappings (dm-verity) are followed down.
usr_partition() {
    usr=''
    while read -r _ _ number _ at _; do
        case $at:$number in /usr:0:*) ;; /usr:*) usr=$number ;; esac
    done </proc/self/mountinfo
    [ -n "$usr" ] && [ -d "/sys/dev/block/$usr" ] || return 1
    sys=/sys/dev/block/$usr
    while [ ! -r "$sys/partition" ]; do
        set -- "$sys"/slaves/*
        case $#$1 in 1*[!*]) sys=$1 ;; *) return 1 ;; esac
    done
    echo "$sys"
}

# slot: the label of that partition. Nothing on a node without slots.
slot() {
    sys=$(usr_partition) || return 0
    label=$(sed -n 's/^PARTNAME=//p' "$sys/uevent")
    if [ -z "$label" ]; then
        IFS=: read -r major minor <"$sys/dev"
        want=$(printf '%x:%x' "$major" "$minor")
        for link in /dev/disk/by-partlabel/*; do
            [ "$(stat -L -c %t:%T "$link" 2>/dev/null)" != "$want" ] || label=${link##*/}
        done
    fi
    case $label in '' | *[!A-Za-z0-9._-]*) label=partition-$(cat "$sys/partition") ;; esac
    printf '%s' "$label"
}

version() {
    for file in /usr/lib/os-release /etc/os-release; do
        [ ! -r "$file" ] || break
    done
    sed -n 's/^VERSION_ID=//p' "$file" | tail -n 1 | tr -cd 'A-Za-z0-9._+~:-'
}

# record: the inventory's part, and what only the node knows.
record() {
    static=$(cat "$etc/node.json") && [ -n "$static" ] || return 1
    printf '%s,"machine_id":"%s","version":"%s","slot":"%s","boot_id":"%s","since":"%s"}' \
        "${static%\}}" "$machine" "$(version)" "$(slot)" "$boot" "$since"
}

forget() {
    lease='' since=''
    rm -f "$run/lease"
}

renew() { # 1: nothing can be said about the lease now
    [ -n "$lease" ] || return 0
    call lease/keepalive "{\"ID\":\"$lease\"}"
    case $? in
        0) case $answer in *'"TTL":"'[1-9]*) ;; *) forget ;; esac ;;
        2) forget ;;
        *) return 1 ;;
    esac
}

grant() {
    [ -z "$lease" ] || return 0
    call lease/grant "{\"TTL\":$ttl}" || return 1
    lease=$(printf '%s' "$answer" | sed -n 's/.*"ID":"\([0-9]*\)".*/\1/p')
    since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    [ -n "$lease" ] || tell "the store grants no lease: $answer"
    [ -n "$lease" ]
}

# publish: have the record stand under its key and our lease; what stands there is read, not remembered.
publish() {
    value=$(record) || { tell "$etc/node.json cannot be read" && return 1; }
    value=$(b64 "$value")
    twin=''
    call kv/range "{\"key\":\"$key\"}" || return 1
    case $answer in
        *"\"value\":\"$value\""*"\"lease\":\"$lease\""* | *"\"lease\":\"$lease\""*"\"value\":\"$value\""*) ;;
        *)
            # It was ours, and now it is under another lease: somebody else has written it.
            case $mine:$answer in
                "$lease:"*"\"lease\":\"$lease\""*) ;;
                "$lease:"*'"lease":"'[1-9]*) twin=yes ;;
            esac
            call kv/put "{\"key\":\"$key\",\"value\":\"$value\",\"lease\":\"$lease\"}"
            case $? in 0) ;; 2) forget && return 1 ;; *) return 1 ;; esac
            ;;
    esac
    mine=$lease
    printf '%s %s\n' "$lease" "$since" >"$run/lease.new" && mv -f "$run/lease.new" "$run/lease"
    [ -z "$twin" ] || tell "another machine registers as $machine: one of them needs a machine-id of its own"
    [ -n "$twin" ] || tell "registered as $prefix$machine since $since"
}

leave() { # the node goes, or is no longer to be registered
    trap '' TERM INT
    [ -z "$lease" ] || call lease/revoke "{\"ID\":\"$lease\"}"
    forget
    exit 0
}

program() { cat "$0" "$unit" 2>/dev/null | sha256sum; }

command -v curl >/dev/null || { echo "there is no curl on this node" && exit 69; }
read -r machine </etc/machine-id && read -r boot </proc/sys/kernel/random/boot_id || exit 69
[ -z "${MACHINE:-}" ] || machine=$MACHINE
key=$(b64 "$prefix$machine")
[ ! -r "$run/lease" ] || read -r lease since <"$run/lease"
trap leave TERM INT
began=$(program)
while :; do
    renew && grant && publish
    # systemd starts what is installed now; the lease stays. Seen twice, so that systemd has read the new unit as well.
    if [ "$(program)" = "$began" ]; then changed=''; elif [ -n "$changed" ]; then exit 0; else changed=yes; fi
    sleep "$beat" &
    wait $!
done
