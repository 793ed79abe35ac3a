# Says who a machine is: one "key value" a line. Needs no root, changes nothing, and lets a longer script go on.
identity_line() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
identity_links() { # NAME MAC a line. A container may see its host's /sys: ip asks the kernel for its own
    ip -o link 2>/dev/null | sed -n 's|^[0-9]*: \([^:@]*\).*link/ether \([^ ]*\).*|\1 \2|p'
}
identity_macs() { # of network cards; not of what hangs on USB: the same there on many boards (a BMC's)
    for each in /sys/class/net/*; do
        [ -e "$each/device" ] || continue
        case $(readlink -f "$each/device") in */usb*) continue ;; esac
        read -r mac <"$each/address" || continue
        case "$links" in '' | *"${each##*/} $mac"*) echo "$mac" ;; esac
    done
}
identity_line machine_id "$(cat /etc/machine-id 2>/dev/null)"
identity_line boot_id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
identity_line hostname "$(uname -n)"
identity_line version "$(sed -n 's/^VERSION_ID=//p' /usr/lib/os-release 2>/dev/null | tail -n 1 | tr -d "\"'")"
links=$(identity_links)
macs=$(identity_macs 2>/dev/null)
if [ -z "$macs" ]; then # a container has none: what it has in their place
    macs=$(echo "$links" | sed 's/.* //')
fi
for each in $macs; do identity_line mac "$each"; done
awk '/32 host LOCAL/ { print "ip", last } { last = $2 }' /proc/net/fib_trie 2>/dev/null | sort -u
awk '{ print "ip6", $1 }' /proc/net/if_inet6 2>/dev/null
for each in /etc/ssh/ssh_host_*_key.pub; do
    [ ! -r "$each" ] || while read -r kind text _; do identity_line key "$kind $text"; done <"$each"
done
