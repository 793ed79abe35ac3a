# Says who a machine is: one "key value" a line. Needs no root, changes nothing, and lets a longer script go on.
identity_line() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
identity_macs() { # of network cards; not of what hangs on USB: the same there on many boards (a BMC's)
    for each in /sys/class/net/*; do
        [ -e "$each/device" ] || continue
        case $(readlink -f "$each/device") in */usb*) continue ;; esac
        cat "$each/address"
    done
}
identity_line machine_id "$(cat /etc/machine-id 2>/dev/null)"
identity_line boot_id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
identity_line hostname "$(uname -n)"
identity_line version "$(sed -n 's/^VERSION_ID=//p' /usr/lib/os-release 2>/dev/null | tail -n 1 | tr -d "\"'")"
macs=$(identity_macs 2>/dev/null)
if [ -z "$macs" ]; then # a container has none: what it has in their place
    macs=$(for each in /sys/class/net/*/address; do case $each in */lo/*) ;; *) cat "$each" ;; esac; done 2>/dev/null)
fi
for each in $macs; do identity_line mac "$each"; done
awk '/32 host LOCAL/ { print "ip", last } { last = $2 }' /proc/net/fib_trie 2>/dev/null | sort -u
awk '{ print "ip6", $1 }' /proc/net/if_inet6 2>/dev/null
for each in /etc/ssh/ssh_host_*_key.pub; do
    [ ! -r "$each" ] || while read -r kind text _; do identity_line key "$kind $text"; done <"$each"
done
